//! Where a server listens, as JavaScript says and hears it.

use std::net::{IpAddr, SocketAddr};

use napi_derive::napi;

#[cfg(unix)]
use super::descriptors::inherited;
use crate::{Listener, LocalAddress};

/// Where to listen: `ip` and `port`, or `path`.
#[napi(object)]
pub struct BindingAddress {
    pub ip: Option<String>,
    pub port: Option<u16>,
    pub path: Option<String>,
    pub backlog: Option<i32>,
    pub reuse_port: Option<bool>,
    /// In place of all these: the descriptor of a socket that listens, which is the server's from then
    /// on.
    pub listener: Option<i32>,
    /// With `listener`: that of the end of a socket pair to which another server leaves its connections.
    pub arrivals: Option<i32>,
}

/// The address bound, or the system's error number.
#[napi(object)]
pub struct BindingListening {
    pub errno: Option<i32>,
    pub ip: Option<String>,
    pub port: Option<u16>,
    pub path: Option<String>,
}

/// What Node's `net.Server` asks for.
const DEFAULT_BACKLOG: i32 = 511;

pub(super) fn bind(address: BindingAddress) -> std::io::Result<Listener> {
    #[cfg(unix)]
    if let Some(listener) = address.listener {
        return Listener::listening(inherited(listener)?.into());
    }
    if let Some(path) = address.path {
        #[cfg(unix)]
        return Listener::unix(path.into());
        #[cfg(not(unix))]
        return Err(std::io::Error::new(std::io::ErrorKind::Unsupported, path));
    }
    let port = address.port.unwrap_or(0);
    let backlog = address.backlog.unwrap_or(DEFAULT_BACKLOG);
    let ip = address.ip.unwrap_or_else(|| "::".to_owned());
    let ip: IpAddr = ip
        .parse()
        .map_err(|_| std::io::Error::from_raw_os_error(INVALID_ARGUMENT))?;
    let reuse_port = address.reuse_port.unwrap_or(false);
    Listener::tcp(SocketAddr::new(ip, port), backlog, reuse_port)
}

/// `EINVAL` (`WSAEINVAL` on Windows).
const INVALID_ARGUMENT: i32 = if cfg!(windows) { 10022 } else { 22 };
/// `ENOTSUP`: on Windows that of the C library, as Winsock has none.
const NOT_SUPPORTED: i32 = if cfg!(windows) {
    129
} else if cfg!(target_os = "linux") {
    95
} else {
    45
};

pub(super) fn listening(address: LocalAddress) -> BindingListening {
    match address {
        LocalAddress::Tcp(address) => BindingListening {
            errno: None,
            ip: Some(address.ip().to_string()),
            port: Some(address.port()),
            path: None,
        },
        #[cfg(unix)]
        LocalAddress::Unix(path) => BindingListening {
            errno: None,
            ip: None,
            port: None,
            path: Some(path.to_string_lossy().into_owned()),
        },
    }
}

pub(super) fn not_listening(error: &std::io::Error) -> BindingListening {
    let errno = error.raw_os_error().unwrap_or(match error.kind() {
        std::io::ErrorKind::Unsupported => NOT_SUPPORTED,
        _ => INVALID_ARGUMENT,
    });
    BindingListening {
        errno: Some(errno),
        ip: None,
        port: None,
        path: None,
    }
}
