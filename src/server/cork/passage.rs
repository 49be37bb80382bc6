//! The way past hyper: what is written while it has nothing to write.

use std::{
    io::IoSlice,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Inner, Socket};
use crate::body::{Drained, Passage, Passed};

impl<S: Socket> Passage for Mutex<Inner<S>> {
    fn write(&self, slices: [&[u8]; 3]) -> Passed {
        let mut inner = self.lock().unwrap_or_else(PoisonError::into_inner);
        if !inner.idle {
            return Passed::Not;
        }
        let inner = &mut *inner;
        for slice in slices {
            inner.gathered.extend_from_slice(slice);
        }
        let written = inner.stream.inner_mut().write_now(&inner.gathered);
        inner.sent = written.taken;
        inner.unflushed = !written.flushed;
        if inner.unflushed || inner.sent < inner.gathered.len() {
            inner.idle = false;
            return Passed::Partly;
        }
        inner.clear();
        Passed::Whole
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
