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
mod content;
mod memory;
mod options;
mod routes;
mod server;

use napi::Error;

/// An error that has `code` as its code in JavaScript.
fn coded(code: &str, message: impl ToString) -> Error<String> {
    Error::new(code.to_owned(), message.to_string())
}
