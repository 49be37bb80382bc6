//! Sockets that processes share: what `wapix dev` hands to those that serve.

use std::{
    io,
    os::{
        fd::{FromRawFd, IntoRawFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use napi::bindgen_prelude::{Error, Result};
use napi_derive::napi;

use super::address::{BindingAddress, BindingListening, bind, listening, not_listening};

/// A socket that listens, and a socket pair: descriptors, which the caller has.
#[napi(object)]
pub struct BindingPort {
    pub listening: BindingListening,
    pub listener: Option<i32>,
    /// Where connections come from, and where they are left.
    pub arrivals: Option<i32>,
    pub successor: Option<i32>,
}

/// Binds and listens, but accepts nobody: that is for the processes that are given the descriptors.
#[napi]
pub fn open_port(address: BindingAddress) -> Result<BindingPort> {
    let bound = bind(address).and_then(|listener| {
        let local = listener.local_address()?;
        Ok((listener.into_tcp(), local))
    });
    let (listener, local) = match bound {
        Ok((Some(listener), local)) => (listener, local),
        Ok((None, _)) => return Err(Error::from_reason("not a TCP address")),
        Err(error) => {
            return Ok(BindingPort {
                listening: not_listening(&error),
                listener: None,
                arrivals: None,
                successor: None,
            });
        }
    };
    let (arrivals, successor) = UnixStream::pair()?;
    Ok(BindingPort {
        listening: listening(local),
        listener: Some(listener.into_raw_fd()),
        arrivals: Some(arrivals.into_raw_fd()),
        successor: Some(successor.into_raw_fd()),
    })
}

/// A descriptor that this process was started with, as one that the programs it starts do not have.
pub(super) fn inherited(fd: i32) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: not -1. It is open, and nobody else's: `lib/cli/supervisor.ts` started this process with
    // it, and `lib/cli/child.ts` gives each of its descriptors away once.
    #[expect(unsafe_code, reason = "it is inherited as a number")]
    let inherited = unsafe { OwnedFd::from_raw_fd(fd) };
    // A copy is made to be closed when a program is executed.
    inherited.try_clone()
}
