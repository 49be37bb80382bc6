//! Sets what linking a Node addon takes on each platform.

fn main() {
    napi_build::setup();
}
