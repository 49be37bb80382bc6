//! What can go wrong outside a request, by cause.

use std::io;

/// An error of the server itself. Errors of one request are answered on the wire instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The TLS key or certificate cannot be used.
    #[error("{0}")]
    Tls(String),
    /// The I/O thread or its runtime could not be started.
    #[error("the I/O thread could not be started: {0}")]
    Thread(#[source] io::Error),
}
