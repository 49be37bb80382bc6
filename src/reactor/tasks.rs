//! The tasks of a reactor, and which of them are ready.

use std::{
    mem,
    sync::{Arc, Mutex},
    task::Waker,
};

use async_task::{Builder, Runnable};
use futures_util::FutureExt;
use slab::Slab;

use super::{Shared, lock};

/// Tasks that have not ended.
#[derive(Default)]
pub(super) struct Tasks {
    /// Those to be run, in the order in which they became so.
    ready: Mutex<Vec<Runnable>>,
    /// The wakers of all, so that they can be ended.
    all: Mutex<Slab<Waker>>,
}

impl Tasks {
    /// Gives those that are ready, for none.
    pub(super) fn swap_ready(&self, none: &mut Vec<Runnable>) {
        mem::swap(&mut *lock(&self.ready), none);
    }

    /// Ends all where they are, and what they begin when they are dropped. None may run meanwhile.
    pub(super) fn end(&self) {
        loop {
            // Outside the locks, which waking and dropping take. One that is ready is dropped with its future.
            let wakers: Vec<_> = lock(&self.all).iter().map(|(_, it)| it.clone()).collect();
            if wakers.is_empty() {
                return;
            }
            wakers.into_iter().for_each(Waker::wake);
            let ready = mem::take(&mut *lock(&self.ready));
            drop(ready);
        }
    }
}

/// Begins a task, which first runs in the next turn.
pub(super) fn spawn(reactor: &Arc<Shared>, task: impl Future<Output = ()> + Send + 'static) {
    let runnable = {
        let mut all = lock(&reactor.tasks.all);
        let entry = all.vacant_entry();
        let ended = Ended(Arc::clone(reactor), entry.key());
        let task = task.map(move |()| drop(ended));
        let shared = Arc::clone(reactor);
        let is_ready = move |runnable| {
            lock(&shared.tasks.ready).push(runnable);
            shared.ask();
        };
        // The panic hook has told of a panic, which ends that task only.
        let (runnable, handle) = Builder::new()
            .propagate_panic(true)
            .spawn(|()| task, is_ready);
        handle.detach();
        entry.insert(runnable.waker());
        runnable
    };
    runnable.schedule();
}

/// Takes a task off when dropped: it has ended, with a panic or without.
struct Ended(Arc<Shared>, usize);

impl Drop for Ended {
    fn drop(&mut self) {
        let waker = lock(&self.0.tasks.all).try_remove(self.1);
        // Outside the lock: it may be the last reference to the task.
        drop(waker);
    }
}
