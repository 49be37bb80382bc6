//! Listening sockets: TCP and Unix.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, Socket, Type};

/// A socket that was bound and listens, but is watched by nobody yet.
pub struct Listener {
    socket: BoundSocket,
}

pub(super) enum BoundSocket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener, std::path::PathBuf),
    Nowhere,
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
    /// What the system says: the address is in use, not available, or not permitted; `Unsupported` for
    /// `reuse_port` where the system does not share connections out (Linux does).
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

    /// A TCP socket that listens already.
    ///
    /// # Errors
    /// What the system says.
    pub fn listening(socket: TcpListener) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: BoundSocket::Tcp(socket),
        })
    }

    /// Listens nowhere: for a server that gets its connections from introductions.
    pub fn nowhere() -> Self {
        Self {
            socket: BoundSocket::Nowhere,
        }
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
            BoundSocket::Nowhere => Err(io::ErrorKind::AddrNotAvailable.into()),
        }
    }

    /// The TCP socket that listens, watched by nobody.
    pub fn into_tcp(self) -> Option<TcpListener> {
        match self.socket {
            BoundSocket::Tcp(socket) => Some(socket),
            _ => None,
        }
    }

    pub(super) fn into_socket(self) -> BoundSocket {
        self.socket
    }
}

#[cfg(target_os = "linux")]
fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

/// Where the system has the option (macOS), one of the sockets gets every connection.
#[cfg(not(target_os = "linux"))]
fn share_port(_: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
