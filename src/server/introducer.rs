//! Connections that come without having been accepted.

use std::{io, os::unix::net::UnixStream};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::accept::Accepted;

/// Hands connections to a server, from any thread.
pub struct Introducer {
    sender: UnboundedSender<UnixStream>,
}

/// The server's side of an [`Introducer`].
pub struct Introductions {
    receiver: UnboundedReceiver<UnixStream>,
}

/// An introducer, and what the server that it serves is given.
pub fn introductions() -> (Introducer, Introductions) {
    let (sender, receiver) = unbounded_channel();
    (Introducer { sender }, Introductions { receiver })
}

impl Introducer {
    /// A connection to the server, which serves plain HTTP over it; its other end.
    ///
    /// # Errors
    /// The system is out of descriptors, or the server has ended.
    pub fn connect(&self) -> io::Result<UnixStream> {
        let (client, server) = UnixStream::pair()?;
        self.sender
            .send(server)
            .map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
        Ok(client)
    }
}

impl Introductions {
    /// The next connection.
    pub(super) async fn next(&mut self) -> Accepted {
        match self.receiver.recv().await {
            Some(connection) => Accepted::Unix(connection),
            None => std::future::pending().await,
        }
    }
}
