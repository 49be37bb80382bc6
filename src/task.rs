//! Tasks, run by whoever runs the task that begins them: a reactor, or tokio's runtime.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::{FutureExt, future::AbortHandle, future::abortable};
use slab::Slab;
use tokio::{runtime::Handle, sync::Notify};

#[cfg(unix)]
use crate::reactor;
#[cfg(unix)]
pub(crate) use crate::reactor::is_current as is_in_reactor;

/// Begins a task.
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    #[cfg(unix)]
    if is_in_reactor() {
        reactor::spawn(task);
        return;
    }
    tokio::spawn(task);
}

/// Tasks that are counted, and ended together: when this is dropped, at the latest.
#[derive(Default)]
pub(crate) struct Tasks(Arc<Running>);

#[derive(Default)]
struct Running {
    tasks: Mutex<Slab<AbortHandle>>,
    ended: Notify,
}

impl Tasks {
    /// Begins a task where the caller runs or on `runtime`.
    pub(crate) fn spawn(
        &self,
        runtime: Option<&Handle>,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let (task, abort) = abortable(task);
        let ended = Ended(Arc::clone(&self.0), self.0.lock().insert(abort));
        let task = task.map(move |_| drop(ended));
        match runtime {
            Some(runtime) => drop(runtime.spawn(task)),
            None => spawn(task),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Waits until some have ended since the last time: by a panic, too.
    pub(crate) async fn some_ended(&self) {
        self.0.ended.notified().await;
    }

    /// Waits until there are none.
    pub(crate) async fn all_ended(&self) {
        while self.len() > 0 {
            self.some_ended().await;
        }
    }

    /// Ends all of them where they are. Each does so when whoever runs it has its next turn.
    pub(crate) fn abort(&self) {
        // Outside the lock, which a task that ends takes.
        let tasks: Vec<_> = (self.0.lock().iter())
            .map(|(_, task)| task.clone())
            .collect();
        for task in tasks {
            task.abort();
        }
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.abort();
    }
}

impl Running {
    fn lock(&self) -> MutexGuard<'_, Slab<AbortHandle>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells, when dropped, that a task has ended.
struct Ended(Arc<Running>, usize);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.lock().remove(self.1);
        self.0.ended.notify_one();
    }
}
