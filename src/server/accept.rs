//! A listening socket at work: connections are accepted, and watched by whoever runs the server's tasks.

use std::{
    future::poll_fn,
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use super::{
    listener::{BoundSocket, Listener},
    socket::Socket,
};
#[cfg(unix)]
use crate::{reactor::Polled, task::is_in_reactor};

/// How long to wait after the system refused a connection for want of descriptors or memory.
const RETRY: Duration = Duration::from_millis(100);
/// How long it is not told again that the system does so.
const TOLD_FOR: Duration = Duration::from_secs(60);
/// How long handshakes that have begun are given to end, before the listening socket is closed.
#[cfg(target_os = "linux")]
const HANDSHAKES: Duration = Duration::from_millis(5);

/// A connection just accepted.
pub(super) enum Accepted {
    /// Watched by the runtime that has accepted it.
    Watched(Watched),
    /// These are watched by nobody, and can be served anywhere.
    Tcp(TcpStream, SocketAddr),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
}

/// A connection that is watched by whoever runs the task.
pub(super) struct Watched {
    pub(super) socket: Box<dyn Socket>,
    /// The other end's, over TCP.
    pub(super) address: Option<SocketAddr>,
}

impl Accepted {
    /// # Errors
    /// The socket cannot be watched: the client has gone already.
    pub(super) fn watch(self) -> io::Result<Watched> {
        match self {
            Self::Watched(watched) => Ok(watched),
            Self::Tcp(stream, address) => {
                stream.set_nonblocking(true)?;
                // Small writes leave at once. Failing means the client has gone already.
                let _ = stream.set_nodelay(true);
                Ok(Watched {
                    socket: watched_stream(stream, tokio::net::TcpStream::from_std)?,
                    address: Some(address),
                })
            }
            #[cfg(unix)]
            Self::Unix(stream) => {
                stream.set_nonblocking(true)?;
                Ok(Watched {
                    socket: watched_stream(stream, tokio::net::UnixStream::from_std)?,
                    address: None,
                })
            }
        }
    }
}

/// A listening socket that is watched.
pub(super) struct Accepting {
    socket: WatchedListener,
    /// When it was last told that the system refuses connections.
    told: Option<Instant>,
}

enum WatchedListener {
    Tcp(tokio::net::TcpListener),
    #[cfg(unix)]
    Unix(tokio::net::UnixListener, RemoveOnDrop),
    #[cfg(unix)]
    PolledTcp(Polled<TcpListener>),
    #[cfg(unix)]
    PolledUnix(Polled<std::os::unix::net::UnixListener>, RemoveOnDrop),
    Nowhere,
}

#[cfg(unix)]
pub(super) struct RemoveOnDrop(std::path::PathBuf);

#[cfg(unix)]
impl Drop for RemoveOnDrop {
    fn drop(&mut self) {
        // Gone already is what was wanted.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Accepting {
    /// # Errors
    /// The socket cannot be watched.
    pub(super) fn new(listener: Listener) -> io::Result<Self> {
        let socket = WatchedListener::new(listener)?;
        Ok(Self { socket, told: None })
    }

    /// The next connection; one that can be served anywhere where it is not to be `served_here`. A
    /// connection that died in the queue is passed over; where the system is out of descriptors or
    /// memory, waits until it has some.
    pub(super) async fn accept(&mut self, served_here: bool) -> Accepted {
        loop {
            match poll_fn(|context| self.socket.poll_accept(served_here, context)).await {
                Ok(accepted) => return accepted,
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    self.tell(&error);
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    fn tell(&mut self, error: &io::Error) {
        let now = Instant::now();
        if self.told.is_some_and(|told| now - told < TOLD_FOR) {
            return;
        }
        self.told = Some(now);
        eprintln!("wapix: accept: {error}; new clients wait until the system has room for them");
    }

    /// Lets go of the address, and has `serve` take everyone who has connected by then: closing the
    /// socket would reset those who still wait to be accepted.
    pub(super) async fn close(self, serve: impl FnMut(Accepted)) -> io::Result<()> {
        // Who watches it would know of those only that it has been told of.
        match self.socket {
            WatchedListener::Tcp(listener) => close_tcp(listener.into_std()?, serve).await,
            #[cfg(unix)]
            WatchedListener::PolledTcp(listener) => close_tcp(listener.into_inner(), serve).await,
            #[cfg(unix)]
            WatchedListener::Unix(listener, file) => close_unix(&listener.into_std()?, file, serve),
            #[cfg(unix)]
            WatchedListener::PolledUnix(listener, file) => {
                close_unix(&listener.into_inner(), file, serve)
            }
            WatchedListener::Nowhere => Ok(()),
        }
    }
}

impl WatchedListener {
    fn new(listener: Listener) -> io::Result<Self> {
        Ok(match listener.into_socket() {
            #[cfg(unix)]
            BoundSocket::Tcp(socket) if is_in_reactor() => Self::PolledTcp(Polled::new(socket)?),
            BoundSocket::Tcp(socket) => Self::Tcp(tokio::net::TcpListener::from_std(socket)?),
            #[cfg(unix)]
            BoundSocket::Unix(socket, path) if is_in_reactor() => {
                Self::PolledUnix(Polled::new(socket)?, RemoveOnDrop(path))
            }
            #[cfg(unix)]
            BoundSocket::Unix(socket, path) => Self::Unix(
                tokio::net::UnixListener::from_std(socket)?,
                RemoveOnDrop(path),
            ),
            BoundSocket::Nowhere => Self::Nowhere,
        })
    }

    fn poll_accept(
        &mut self,
        served_here: bool,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Accepted>> {
        Poll::Ready(match self {
            Self::Tcp(listener) => {
                let (stream, address) = ready!(listener.poll_accept(context))?;
                if served_here {
                    let _ = stream.set_nodelay(true);
                    Ok(Accepted::Watched(Watched {
                        socket: Box::new(stream),
                        address: Some(address),
                    }))
                } else {
                    Ok(Accepted::Tcp(stream.into_std()?, address))
                }
            }
            #[cfg(unix)]
            Self::Unix(listener, _) => {
                let (stream, _) = ready!(listener.poll_accept(context))?;
                Ok(Accepted::Unix(stream.into_std()?))
            }
            #[cfg(unix)]
            Self::PolledTcp(listener) => {
                let (stream, address) = ready!(listener.poll_accept(context, TcpListener::accept))?;
                Ok(Accepted::Tcp(stream, address))
            }
            #[cfg(unix)]
            Self::PolledUnix(listener, _) => {
                let accept = std::os::unix::net::UnixListener::accept;
                let (stream, _) = ready!(listener.poll_accept(context, accept))?;
                Ok(Accepted::Unix(stream))
            }
            Self::Nowhere => return Poll::Pending,
        })
    }
}

async fn close_tcp(listener: TcpListener, serve: impl FnMut(Accepted)) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    if refuse_handshakes(&listener).is_ok() {
        tokio::time::sleep(HANDSHAKES).await;
    }
    let accept = || listener.accept();
    let served = each_queued(
        accept,
        |(stream, address)| Accepted::Tcp(stream, address),
        serve,
    );
    // A child process that is just being started has our descriptors, too, until it runs a program of
    // its own. To close this one would leave the port taken for as long.
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(&listener).shutdown(std::net::Shutdown::Both);
    served
}

#[cfg(unix)]
fn close_unix(
    listener: &std::os::unix::net::UnixListener,
    file: RemoveOnDrop,
    serve: impl FnMut(Accepted),
) -> io::Result<()> {
    // Nobody finds it any more.
    drop(file);
    let accept = || listener.accept();
    each_queued(accept, |(stream, _)| Accepted::Unix(stream), serve)
}

#[cfg(unix)]
fn watched_stream<T, U: Socket + 'static>(
    stream: T,
    on_runtime: impl FnOnce(T) -> io::Result<U>,
) -> io::Result<Box<dyn Socket>>
where
    Polled<T>: Socket + 'static,
    T: std::os::fd::AsFd,
{
    if is_in_reactor() {
        Ok(Box::new(Polled::new(stream)?))
    } else {
        Ok(Box::new(on_runtime(stream)?))
    }
}

#[cfg(not(unix))]
fn watched_stream<T, U: Socket + 'static>(
    stream: T,
    on_runtime: impl FnOnce(T) -> io::Result<U>,
) -> io::Result<Box<dyn Socket>> {
    Ok(Box::new(on_runtime(stream)?))
}

/// Has `serve` take whatever `accept` gives before it would wait.
fn each_queued<T>(
    accept: impl Fn() -> io::Result<T>,
    accepted: impl Fn(T) -> Accepted,
    mut serve: impl FnMut(Accepted),
) -> io::Result<()> {
    loop {
        match accept() {
            Ok(connection) => serve(accepted(connection)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Has the system drop what begins a connection (a SYN without an ACK), so that nobody can connect
/// between the last accept and the end of the listening socket. Who tries comes again after a second,
/// by TCP's own rules: to another server by then, or to be refused.
#[cfg(target_os = "linux")]
fn refuse_handshakes(listener: &TcpListener) -> io::Result<()> {
    use socket2::{SockFilter, SockRef};
    // Classic BPF (linux/bpf_common.h): opcode, jumps if true and if false, operand.
    const LOAD_BYTE: u16 = 0x30;
    const AND: u16 = 0x54;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;
    SockRef::from(listener).attach_filter(&[
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS),
        SockFilter::new(AND, 0, 0, SYN | ACK),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ])
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted, InvalidInput,
    };
    match error.kind() {
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted => true,
        // macOS hands out those that are gone already, without an address; the system itself says so of a
        // socket that does not listen.
        InvalidInput => error.raw_os_error().is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_without_an_address_does_not_stop_the_others() {
        // As std and mio report it.
        assert!(is_of_one_connection(&io::ErrorKind::InvalidInput.into()));
        let einval = if cfg!(windows) { 10022 } else { 22 };
        let not_listening = io::Error::from_raw_os_error(einval);
        assert_eq!(not_listening.kind(), io::ErrorKind::InvalidInput);
        assert!(!is_of_one_connection(&not_listening));
    }
}
