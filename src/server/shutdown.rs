//! Stopping: gracefully, up to a deadline, or at once.

use std::{
    future::Future,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

#[cfg(unix)]
use super::handover::Successor;

/// Stops a server. Clones stop the same one.
#[derive(Clone)]
pub struct Shutdown {
    stage: Arc<watch::Sender<Stage>>,
    /// Set before anybody is told of a stage: cheaper to ask, again and again, than the stage.
    has_started: Arc<AtomicBool>,
    refuses: Arc<(Mutex<bool>, Condvar)>,
    #[cfg(unix)]
    successor: Arc<std::sync::OnceLock<Successor>>,
}

#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Stage {
    Running,
    /// Finish what is in flight; close what is idle.
    Graceful {
        deadline: Instant,
    },
    Now,
}

/// How long a new connection is waited for, whether the server is to stop or not: the client has seen
/// it accepted, and its first request is on the way.
const NEW: Duration = Duration::from_secs(2);

/// Tells, when dropped, that no connection is accepted any more.
pub(super) struct Refusing(Arc<(Mutex<bool>, Condvar)>);

impl Drop for Refusing {
    fn drop(&mut self) {
        let (refuses, changed) = &*self.0;
        *refuses.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
    }
}

impl Shutdown {
    pub(crate) fn new() -> Self {
        Self {
            stage: Arc::new(watch::Sender::new(Stage::Running)),
            has_started: Arc::default(),
            refuses: Arc::default(),
            #[cfg(unix)]
            successor: Arc::default(),
        }
    }

    /// Stops accepting, closes idle connections, and the others when their request is answered or
    /// `deadline` has passed.
    pub fn graceful(&self, deadline: Duration) {
        let deadline = Instant::now() + deadline;
        self.advance(Stage::Graceful { deadline });
    }

    /// Leaves the listening socket, which another process has as well, and what is idle to `successor`;
    /// ends event streams, whose clients come back by themselves, and the other connections as
    /// [`Shutdown::graceful`] does.
    #[cfg(unix)]
    pub fn succeeded_by(&self, successor: Successor, deadline: Duration) {
        // Of two the first was meant.
        let _ = self.successor.set(successor);
        self.graceful(deadline);
    }

    /// Who serves what is left from now on.
    #[cfg(unix)]
    pub(super) fn successor(&self) -> Option<&Successor> {
        self.successor.get().filter(|_| self.has_started())
    }

    /// Whether another process serves from now on.
    pub(super) fn is_succeeded(&self) -> bool {
        #[cfg(unix)]
        return self.successor().is_some();
        #[cfg(not(unix))]
        false
    }

    /// Waits, once a shutdown has begun, until no connection is accepted any more and the port is free.
    /// It blocks: not for the thread that the server runs on.
    pub fn wait_refusing(&self) {
        let (refuses, changed) = &*self.refuses;
        let guard = refuses.lock().unwrap_or_else(PoisonError::into_inner);
        drop(changed.wait_while(guard, |refuses| !*refuses));
    }

    /// Whether no connection is accepted any more, and the port is free.
    pub fn refuses(&self) -> bool {
        let (refuses, _) = &*self.refuses;
        *refuses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn refusing(&self) -> Refusing {
        Refusing(Arc::clone(&self.refuses))
    }

    /// Stops accepting and closes every connection.
    pub fn now(&self) {
        self.advance(Stage::Now);
    }

    fn advance(&self, next: Stage) {
        self.has_started.store(true, Ordering::Relaxed);
        self.stage.send_if_modified(|stage| {
            let later = *stage < next;
            if later {
                *stage = next;
            }
            later
        });
    }

    /// Resolves when a shutdown has started, and a connection that is new now no longer is: it has
    /// had the time to send something.
    pub(crate) async fn started_for_new(&self) {
        let new_until = Instant::now() + NEW;
        self.started().await;
        sleep_until(new_until).await;
    }

    /// Runs `work` unless connections must close first.
    pub(crate) async fn unless_expired<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.expired() => None,
            value = work => Some(value),
        }
    }

    /// Whether a shutdown of either kind has started. Who waits for [`Shutdown::started`] is woken then.
    pub(crate) fn has_started(&self) -> bool {
        self.has_started.load(Ordering::Relaxed)
    }

    /// Resolves when a shutdown of either kind has started.
    pub(crate) async fn started(&self) {
        let mut stage = self.stage.subscribe();
        // The sender lives in `self`: the channel cannot close while this waits.
        let _ = stage.wait_for(|stage| *stage != Stage::Running).await;
    }

    /// Resolves when another process serves from now on.
    pub(super) async fn succeeded(&self) {
        self.started().await;
        if !self.is_succeeded() {
            std::future::pending().await
        }
    }

    /// Resolves when connections must close, whatever they are doing.
    pub(crate) async fn expired(&self) {
        let mut stage = self.stage.subscribe();
        loop {
            let now = *stage.borrow_and_update();
            match now {
                Stage::Now => return,
                Stage::Graceful { deadline } => tokio::select! {
                    () = sleep_until(deadline) => return,
                    _ = stage.changed() => {}
                },
                Stage::Running => {
                    let _ = stage.changed().await;
                }
            }
        }
    }
}
