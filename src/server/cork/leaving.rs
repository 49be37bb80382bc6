//! A connection that another process is to serve.

#[cfg(unix)]
use std::{io, time::Duration};

#[cfg(unix)]
use tokio::time::sleep;

use super::{super::Shutdown, Corked, Socket};

/// How long to wait where no more can be handed over.
#[cfg(unix)]
const FULL: Duration = Duration::from_millis(1);

impl<S: Socket> Corked<S> {
    /// Whether the connection can be handed over: there is somebody, and nothing of it is in this process.
    pub(in crate::server) fn can_leave(&self, shutdown: &Shutdown) -> bool {
        #[cfg(unix)]
        if shutdown.is_succeeded() {
            let inner = self.lock();
            return inner.ahead.is_empty()
                && inner.gathered.is_empty()
                && !inner.unflushed
                && inner.stream.inner().descriptor().is_some();
        }
        #[cfg(not(unix))]
        let _ = shutdown;
        false
    }

    /// Hands the connection over; false where that cannot be done.
    pub(in crate::server) async fn leave(&self, shutdown: &Shutdown) -> bool {
        #[cfg(unix)]
        while let Some(successor) = shutdown.successor() {
            let handed = match self.lock().stream.inner().descriptor() {
                Some(connection) => successor.hand_over(connection),
                None => Err(io::ErrorKind::Unsupported.into()),
            };
            match handed {
                Ok(()) => return true,
                // Too many have been handed over that nobody has taken yet.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(FULL).await,
                Err(_) => return false,
            }
        }
        #[cfg(not(unix))]
        let _ = shutdown;
        false
    }
}
