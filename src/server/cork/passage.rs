//! The way past hyper: what is written while it has nothing to write.

use std::{
    io::IoSlice,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Inner, Socket};
use crate::body::{Abort, Drained, Passage, Passed};

impl<S: Socket> Abort for Mutex<Inner<S>> {
    fn abort(&self) {
        let mut inner = self.lock().unwrap_or_else(PoisonError::into_inner);
        inner.aborted = true;
        inner.idle = false;
        inner.stream.inner().abort();
    }
}

impl<S: Socket> Passage for Mutex<Inner<S>> {
    fn write(&self, bytes: &[u8]) -> Passed {
        let mut inner = self.lock().unwrap_or_else(PoisonError::into_inner);
        if !inner.idle {
            return Passed::Not;
        }
        let written = inner.stream.inner_mut().write_now(bytes);
        if written.flushed && written.taken == bytes.len() {
            return Passed::Whole;
        }
        inner.gathered.extend_from_slice(&bytes[written.taken..]);
        inner.unflushed = !written.flushed;
        inner.idle = false;
        Passed::Partly
    }

    fn write_large(&self, slices: [&[u8]; 3], drained: Arc<dyn Drained>) -> Passed {
        let mut inner = self.lock().unwrap_or_else(PoisonError::into_inner);
        if !inner.idle {
            return Passed::Not;
        }
        let all = slices.map(IoSlice::new);
        let Some(mut taken) = inner.stream.inner_mut().write_large_now(&all) else {
            return Passed::Not;
        };
        for slice in slices {
            let of_slice = taken.min(slice.len());
            taken -= of_slice;
            inner.gathered.extend_from_slice(&slice[of_slice..]);
        }
        if inner.gathered.is_empty() {
            return Passed::Whole;
        }
        inner.idle = false;
        inner.drained = Some(drained);
        Passed::Partly
    }
}
