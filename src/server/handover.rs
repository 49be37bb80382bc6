//! Connections that one process hands to another, which serves in its place.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    net::TcpStream,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    task::{Context, Poll, ready},
};

use rustix::{
    cmsg_space,
    io::{FdFlags, fcntl_setfd},
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
    },
};
use tokio::io::Interest;

use super::accept::Accepted;
use crate::{reactor::Polled, task::is_in_reactor};

/// Who serves the connections that a server leaves: one end of a socket pair, the other end of which
/// is somebody's [`Arrivals`]. What nobody has taken yet waits in between.
pub struct Successor(UnixStream);

/// The connections that the server before has left.
pub struct Arrivals(UnixStream);

/// [`Arrivals`] that are watched.
pub(super) enum Arriving {
    Tokio(tokio::net::UnixStream),
    Polled(Polled<UnixStream>),
}

impl Successor {
    /// # Errors
    /// What the system says.
    pub fn new(socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self(socket))
    }

    /// Hands over a connection: whoever gets it has a descriptor of his own.
    ///
    /// # Errors
    /// `WouldBlock` where too many wait to be taken; what the system says.
    pub(super) fn hand_over(&self, connection: BorrowedFd<'_>) -> io::Result<()> {
        let descriptors = [connection];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        // One byte is sent whole or not at all, whoever else sends.
        let byte = [IoSlice::new(&[0])];
        sendmsg(&self.0, &byte, &mut control, SendFlags::DONTWAIT)?;
        Ok(())
    }
}

impl Arrivals {
    /// # Errors
    /// What the system says.
    pub fn new(socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self(socket))
    }
}

impl Arriving {
    /// # Errors
    /// The socket cannot be watched.
    pub(super) fn new(Arrivals(socket): Arrivals) -> io::Result<Self> {
        Ok(if is_in_reactor() {
            Self::Polled(Polled::new(socket)?)
        } else {
            Self::Tokio(tokio::net::UnixStream::from_std(socket)?)
        })
    }

    /// The next connection; waits for ever where no more can come.
    pub(super) async fn next(&self) -> Accepted {
        loop {
            match std::future::poll_fn(|context| self.poll_receive(context)).await {
                Ok(Some(connection)) => {
                    let connection = TcpStream::from(connection);
                    // Failing is of that connection: the client has gone already.
                    if let Ok(address) = connection.peer_addr() {
                        return Accepted::Tcp(connection, address);
                    }
                }
                Ok(None) => {}
                Err(_) => std::future::pending().await,
            }
        }
    }

    fn poll_receive(&self, context: &mut Context<'_>) -> Poll<io::Result<Option<OwnedFd>>> {
        match self {
            Self::Polled(socket) => socket.poll_accept(context, |socket| receive(socket)),
            Self::Tokio(socket) => loop {
                ready!(socket.poll_read_ready(context))?;
                match socket.try_io(Interest::READABLE, || receive(socket)) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    received => return Poll::Ready(received),
                }
            },
        }
    }
}

/// Takes one message. A message without a descriptor is one that this process had no room for.
fn receive(socket: impl AsFd) -> io::Result<Option<OwnedFd>> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message = recvmsg(
        socket,
        &mut [IoSliceMut::new(&mut byte)],
        &mut control,
        RecvFlags::DONTWAIT,
    )?;
    if message.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let descriptor = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    if let Some(descriptor) = &descriptor {
        // Not for the programs that the application starts.
        fcntl_setfd(descriptor, FdFlags::CLOEXEC)?;
    }
    Ok(descriptor)
}
