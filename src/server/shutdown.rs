//! Stopping: gracefully, up to a deadline, or at once.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::sync::watch;

/// Stops a server. Clones stop the same one.
#[derive(Clone)]
pub struct Shutdown {
    stage: Arc<watch::Sender<Stage>>,
}

#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Stage {
    Running,
    /// Finish what is in flight; close what is idle.
    Graceful {
        deadline: tokio::time::Instant,
    },
    Now,
}

impl Shutdown {
    pub(crate) fn new() -> Self {
        Self {
            stage: Arc::new(watch::Sender::new(Stage::Running)),
        }
    }

    /// Stops accepting, closes idle connections, and the others when their request is answered or
    /// `deadline` has passed.
    pub fn graceful(&self, deadline: Duration) {
        let deadline = tokio::time::Instant::now() + deadline;
        self.advance(Stage::Graceful { deadline });
    }

    /// Stops accepting and closes every connection.
    pub fn now(&self) {
        self.advance(Stage::Now);
    }

    fn advance(&self, next: Stage) {
        self.stage.send_if_modified(|stage| {
            let later = *stage < next;
            if later {
                *stage = next;
            }
            later
        });
    }

    /// Runs `work` unless the shutdown starts first.
    pub(crate) async fn unless_started<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.started() => None,
            value = work => Some(value),
        }
    }

    /// Runs `work` unless connections must close first.
    pub(crate) async fn unless_expired<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.expired() => None,
            value = work => Some(value),
        }
    }

    /// Resolves when a shutdown of either kind has started.
    pub(crate) async fn started(&self) {
        let mut stage = self.stage.subscribe();
        // The sender lives in `self`: the channel cannot close while this waits.
        let _ = stage.wait_for(|stage| *stage != Stage::Running).await;
    }

    /// Resolves when connections must close, whatever they are doing.
    pub(crate) async fn expired(&self) {
        let mut stage = self.stage.subscribe();
        loop {
            let now = *stage.borrow_and_update();
            match now {
                Stage::Now => return,
                Stage::Graceful { deadline } => tokio::select! {
                    () = tokio::time::sleep_until(deadline) => return,
                    _ = stage.changed() => {}
                },
                Stage::Running => {
                    let _ = stage.changed().await;
                }
            }
        }
    }
}
