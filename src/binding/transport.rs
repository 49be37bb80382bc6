//! Where a server's I/O is done: on threads of its own, or in Node's event loop.

use std::{sync::Arc, thread::available_parallelism, time::Duration};

use napi::{
    Env,
    bindgen_prelude::{Error, Function, Result},
};

use super::io_threads::IoThreads;
#[cfg(unix)]
use super::{in_loop::InLoop, uv};
#[cfg(unix)]
use crate::Successor;
use crate::{Server, Shutdown, bridge::Bridge};

/// Where I/O is done.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Placement {
    /// On so many threads of its own: JavaScript has its thread to itself.
    IoThreads(usize),
    /// On JavaScript's thread: where there is one core, handing over to another thread costs, and
    /// gains nothing. Where there are several, another relieves it while it has much to do.
    InLoop { relieved: bool },
}

impl Placement {
    /// As asked or, where nothing is, by the cores that this process may use (its affinity and its
    /// cgroup's limit are counted). A runtime without libuv has I/O threads only.
    pub(super) fn new(io_threads: Option<u32>, has_event_loop: bool) -> Self {
        let has_event_loop = has_event_loop && can_watch();
        let io_threads = io_threads.unwrap_or_else(|| {
            // Where nobody can tell there are several.
            u32::from(available_parallelism().map_or(true, |cores| cores.get() > 1))
        });
        match io_threads {
            0 if has_event_loop => Self::InLoop { relieved: false },
            // Tried and measured on Linux only.
            1 if has_event_loop && cfg!(target_os = "linux") => Self::InLoop { relieved: true },
            _ => Self::IoThreads(io_threads.max(1) as usize),
        }
    }

    /// How many threads do I/O, each with a bridge of its own.
    pub(super) fn bridges(self) -> usize {
        match self {
            Self::IoThreads(threads) => threads,
            Self::InLoop { .. } => 1,
        }
    }
}

#[cfg(unix)]
fn can_watch() -> bool {
    uv::is_available()
}

#[cfg(not(unix))]
fn can_watch() -> bool {
    false
}

/// A server at work.
pub(super) enum Transport {
    IoThreads(IoThreads),
    #[cfg(unix)]
    InLoop(InLoop),
}

impl Transport {
    #[cfg_attr(
        not(unix),
        expect(unused_variables, reason = "there is one place only")
    )]
    pub(super) fn start(
        placement: Placement,
        env: &Env,
        on_work: &[Function<'_, (), ()>],
        make_server: impl FnOnce(&Arc<Bridge>) -> Server<Arc<Bridge>>,
    ) -> Result<(Self, Vec<Arc<Bridge>>)> {
        let ([first, others @ ..], true) = (on_work, on_work.len() == placement.bridges()) else {
            return Err(Error::from_reason("a bridge has one `onWork`"));
        };
        #[cfg(unix)]
        if let Placement::InLoop { relieved } = placement {
            let (in_loop, bridge) = InLoop::start(env, relieved, first, make_server)?;
            return Ok((Self::InLoop(in_loop), vec![bridge]));
        }
        let (io_threads, bridges) = IoThreads::start(first, others, make_server)?;
        Ok((Self::IoThreads(io_threads), bridges))
    }

    /// Delivers what JavaScript has handed over.
    pub(super) fn deliver(&self, bridge: &Bridge) {
        match self {
            Self::IoThreads(_) => bridge.deliver_or_wake(),
            #[cfg(unix)]
            Self::InLoop(in_loop) => in_loop.deliver(bridge),
        }
    }

    /// Stops accepting and, at the latest after `deadline`, closes what is left. Returns when no
    /// connection is accepted any more.
    pub(super) fn close(&self, deadline: Duration) {
        self.shutdown().graceful(deadline);
        self.wait_refusing();
    }

    /// The same, but another process goes on with what is idle.
    #[cfg(unix)]
    pub(super) fn leave(&self, successor: Successor, deadline: Duration) {
        self.shutdown().succeeded_by(successor, deadline);
        self.wait_refusing();
    }

    fn shutdown(&self) -> &Shutdown {
        match self {
            Self::IoThreads(io_threads) => &io_threads.shutdown,
            #[cfg(unix)]
            Self::InLoop(in_loop) => in_loop.shutdown(),
        }
    }

    fn wait_refusing(&self) {
        match self {
            Self::IoThreads(io_threads) => io_threads.shutdown.wait_refusing(),
            #[cfg(unix)]
            Self::InLoop(in_loop) => in_loop.wait_refusing(),
        }
    }

    /// Ends what is left of the server, at once.
    pub(super) fn stop(&self) {
        match self {
            Self::IoThreads(io_threads) => {
                io_threads.shutdown.now();
                io_threads.join();
            }
            #[cfg(unix)]
            Self::InLoop(in_loop) => in_loop.stop(),
        }
    }

    /// Whether the server keeps the process alive.
    pub(super) fn set_ref(&self, env: &Env, referenced: bool) {
        match self {
            Self::IoThreads(io_threads) => io_threads.set_ref(env, referenced),
            #[cfg(unix)]
            Self::InLoop(in_loop) => in_loop.set_ref(referenced),
        }
    }
}
