//! The way past hyper: what is written while it has nothing to write.

use std::{
    io::IoSlice,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::time::Instant;

use super::{Inner, Socket};
use crate::body::{Abort, Drained, FileRange, LARGE, Passage, Passed, Rest};

impl<S: Socket> Abort for Mutex<Inner<S>> {
    fn abort(&self) {
        let mut inner = lock(self);
        inner.aborted = true;
        inner.idle = false;
        inner.stream.inner().abort();
    }
}

impl<S: Socket> Passage for Mutex<Inner<S>> {
    fn write(&self, bytes: &[u8]) -> Passed {
        lock(self).pass(bytes)
    }

    fn write_large(&self, slices: [&[u8]; 3], drained: Arc<dyn Drained>) -> Passed {
        let mut inner = lock(self);
        if !inner.idle {
            return Passed::Not;
        }
        let all = slices.map(IoSlice::new);
        let Some(taken) = inner.stream.inner_mut().write_large_now(&all) else {
            return Passed::Not;
        };
        inner.keep_rest(slices, taken);
        if inner.gathered.is_empty() {
            return Passed::Whole;
        }
        inner.idle = false;
        inner.drained = Some(drained);
        Passed::Partly
    }

    fn sends_files(&self) -> bool {
        let inner = lock(self);
        inner.stream.inner().sends_files() && !inner.taken_over
    }

    fn send_file(&self, range: FileRange) {
        lock(self).files.push_back(range);
    }

    fn offer_rest(&self, rest: Rest) {
        lock(self).rest = Some(rest);
    }

    fn is_taken_over(&self) -> bool {
        lock(self).taken_over
    }

    fn write_event(&self, bytes: &[u8], now: Instant) -> Passed {
        let mut inner = lock(self);
        if bytes.len() > LARGE {
            inner.idle = false;
            return Passed::Not;
        }
        let passed = inner.pass(bytes);
        if passed != Passed::Not {
            inner.last_event = Some(now);
        }
        passed
    }

    fn last_event(&self) -> Option<Instant> {
        lock(self).last_event
    }
}

fn lock<S>(shared: &Mutex<Inner<S>>) -> MutexGuard<'_, Inner<S>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: Socket> Inner<S> {
    fn pass(&mut self, bytes: &[u8]) -> Passed {
        if !self.idle {
            return Passed::Not;
        }
        let written = self.stream.inner_mut().write_now(bytes);
        if written.flushed && written.taken == bytes.len() {
            return Passed::Whole;
        }
        self.gathered.extend_from_slice(&bytes[written.taken..]);
        // TLS may take the rest, too, and hold it back.
        self.unflushed = true;
        self.idle = false;
        Passed::Partly
    }
}
