/tmp/w-channels/bench/channels/client/target/release/deps/subscribers-a54e05da1c0721b3.d: src/main.rs

/tmp/w-channels/bench/channels/client/target/release/deps/subscribers-a54e05da1c0721b3: src/main.rs

src/main.rs:
