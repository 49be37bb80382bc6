//! Listening sockets: TCP and Unix.

use std::{
    io,
    net::{SocketAddr, TcpListener as StdTcpListener},
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

/// How long to wait after the system refused a connection for want of descriptors or memory.
const RETRY: Duration = Duration::from_millis(100);
/// How long handshakes that have begun are given to end, before the listening socket is closed.
#[cfg(target_os = "linux")]
const HANDSHAKES: Duration = Duration::from_millis(5);

/// A socket that was bound and listens, but belongs to no runtime yet.
pub struct Listener {
    socket: BoundSocket,
}

enum BoundSocket {
    Tcp(StdTcpListener),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener, std::path::PathBuf),
}

/// Where a server listens.
#[derive(Clone, Debug)]
pub enum LocalAddress {
    /// A TCP address.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    #[cfg(unix)]
    Unix(std::path::PathBuf),
}

impl Listener {
    /// Listens on a TCP address with a queue of `backlog` connections. An IPv6 wildcard takes IPv4
    /// connections too. With `reuse_port`, others that say so may listen there as well.
    ///
    /// # Errors
    /// What the system says: the address is in use, not available, or not permitted.
    pub fn tcp(address: SocketAddr, backlog: i32, reuse_port: bool) -> io::Result<Self> {
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() && address.ip().is_unspecified() {
            socket.set_only_v6(false)?;
        }
        // Without it a restarted server could not bind for a minute (TIME_WAIT). On Windows the
        // option means something else: sharing the port.
        #[cfg(not(windows))]
        socket.set_reuse_address(true)?;
        if reuse_port {
            share_port(&socket)?;
        }
        socket.bind(&address.into())?;
        socket.listen(backlog)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: BoundSocket::Tcp(socket.into()),
        })
    }

    /// Listens on a Unix socket. The file is removed when the server stops.
    ///
    /// # Errors
    /// What the system says; `AddrInUse` where the file exists.
    #[cfg(unix)]
    pub fn unix(path: std::path::PathBuf) -> io::Result<Self> {
        let socket = std::os::unix::net::UnixListener::bind(&path)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: BoundSocket::Unix(socket, path),
        })
    }

    /// The address bound, with the port the system chose.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_address(&self) -> io::Result<LocalAddress> {
        match &self.socket {
            BoundSocket::Tcp(socket) => socket.local_addr().map(LocalAddress::Tcp),
            #[cfg(unix)]
            BoundSocket::Unix(_, path) => Ok(LocalAddress::Unix(path.clone())),
        }
    }

    pub(super) fn into_accepting(self) -> io::Result<Accepting> {
        match self.socket {
            BoundSocket::Tcp(socket) => TcpListener::from_std(socket).map(Accepting::Tcp),
            #[cfg(unix)]
            BoundSocket::Unix(socket, path) => {
                let listener = tokio::net::UnixListener::from_std(socket)?;
                Ok(Accepting::Unix {
                    listener,
                    file: RemoveOnDrop(path),
                })
            }
        }
    }
}

#[cfg(unix)]
fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(unix))]
fn share_port(_: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A listening socket on a runtime.
pub(super) enum Accepting {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix {
        listener: tokio::net::UnixListener,
        file: RemoveOnDrop,
    },
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

/// A connection just accepted.
pub(super) enum Accepted {
    Tcp(TcpStream, SocketAddr),
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
}

impl Accepting {
    /// The next connection. A connection that died in the queue is passed over; where the system
    /// is out of descriptors or memory, waits until it has some.
    pub(super) async fn accept(&mut self) -> Accepted {
        loop {
            let accepted = match self {
                Self::Tcp(listener) => listener.accept().await.map(|(stream, address)| {
                    // Small writes leave at once. Failing means the client has gone already.
                    let _ = stream.set_nodelay(true);
                    Accepted::Tcp(stream, address)
                }),
                #[cfg(unix)]
                Self::Unix { listener, .. } => listener
                    .accept()
                    .await
                    .map(|(stream, _)| Accepted::Unix(stream)),
            };
            match accepted {
                Ok(socket) => return socket,
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    eprintln!(
                        "wapix: accept: {error}; trying again in {} ms",
                        RETRY.as_millis()
                    );
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// Lets go of the address, and has `serve` take everyone who has connected by then: closing the
    /// socket would reset those who still wait to be accepted.
    pub(super) async fn close(self, mut serve: impl FnMut(Accepted)) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => {
                // The runtime would know of those only that it has been told of.
                let listener = listener.into_std()?;
                #[cfg(target_os = "linux")]
                if refuse_handshakes(&listener).is_ok() {
                    tokio::time::sleep(HANDSHAKES).await;
                }
                each_queued(
                    || listener.accept(),
                    |(stream, address)| {
                        stream.set_nonblocking(true)?;
                        let stream = TcpStream::from_std(stream)?;
                        let _ = stream.set_nodelay(true);
                        serve(Accepted::Tcp(stream, address));
                        Ok(())
                    },
                )
            }
            #[cfg(unix)]
            Self::Unix { listener, file } => {
                let listener = listener.into_std()?;
                // Nobody finds it any more.
                drop(file);
                each_queued(
                    || listener.accept(),
                    |(stream, _)| {
                        stream.set_nonblocking(true)?;
                        serve(Accepted::Unix(tokio::net::UnixStream::from_std(stream)?));
                        Ok(())
                    },
                )
            }
        }
    }
}

/// Calls `serve` with whatever `accept` gives before it would wait.
fn each_queued<T>(
    mut accept: impl FnMut() -> io::Result<T>,
    mut serve: impl FnMut(T) -> io::Result<()>,
) -> io::Result<()> {
    loop {
        match accept() {
            Ok(connection) => {
                // Failing is of that connection: the client has gone already.
                let _ = serve(connection);
            }
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
fn refuse_handshakes(listener: &StdTcpListener) -> io::Result<()> {
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
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}
