/tmp/w-channels/bench/channels/client/target/release/subscribers: /tmp/w-channels/bench/channels/client/src/main.rs
