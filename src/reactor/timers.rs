//! What a reactor leaves to other threads: timers, and calls that block.

use std::{io, sync::Arc, thread::JoinHandle};

use tokio::{
    runtime::{Builder, EnterGuard, Handle},
    sync::Notify,
};

/// A runtime of tokio's on a thread of its own, without sockets.
pub(super) struct Timers {
    handle: Handle,
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl Timers {
    pub(super) fn start(blocking_threads: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .thread_name("wapix-file")
            .max_blocking_threads(blocking_threads)
            .build()?;
        let handle = runtime.handle().clone();
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("wapix-timer".to_owned())
            .spawn(move || runtime.block_on(stopped.notified()))?;
        Ok(Self {
            handle,
            stop,
            thread: Some(thread),
        })
    }

    /// Has timers that are made until the guard is dropped be this runtime's.
    pub(super) fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }
}

impl Drop for Timers {
    fn drop(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic has been printed by the panic hook, and there is nothing left to stop.
            let _ = thread.join();
        }
    }
}
