//! What can go wrong outside a request, by cause.

use std::io;

use crate::router::InsertError;

/// An error of the server itself. Errors of one request are answered on the wire instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A route pattern is malformed, or clashes with another.
    #[error(transparent)]
    Route(#[from] InsertError),
    /// The address could not be bound.
    #[error("listen: {0}")]
    Listen(#[source] io::Error),
    /// The TLS key or certificate cannot be used.
    #[error("{0}")]
    Tls(String),
    /// The I/O thread or its runtime could not be started.
    #[error("the I/O thread could not be started: {0}")]
    Thread(#[source] io::Error),
}
