//! What JavaScript sees of the core: the only place that names Node-API.
#![allow(
    unreachable_pub,
    reason = "napi exports these to JavaScript; in Rust nothing outside reaches them"
)]
#![cfg_attr(
    test,
    allow(dead_code, reason = "napi exports nothing from a test binary")
)]

mod address;
mod bridge;
#[cfg(unix)]
mod busy_poll;
mod channel;
mod content;
#[cfg(unix)]
mod descriptors;
#[cfg(unix)]
mod in_loop;
mod io_threads;
mod memory;
mod options;
mod routes;
mod server;
mod transport;
#[cfg(unix)]
mod uv;

use napi::Error;

/// An error that has `code` as its code in JavaScript.
fn coded(code: &str, message: impl ToString) -> Error<String> {
    Error::new(code.to_owned(), message.to_string())
}

/// How many files a thread that does I/O may wait for the disk for at a time: twice what Node has for all
/// of its.
const FILE_THREADS: usize = 8;

/// Runs a closure when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
