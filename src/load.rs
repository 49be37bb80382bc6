//! What a server has in hand: requests that wait for their answers, and the bodies held for them.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::config::Config;

/// The load of a server, over all its connections.
#[derive(Default)]
pub(crate) struct Load {
    requests: AtomicUsize,
    body_bytes: Arc<AtomicUsize>,
}

impl Load {
    /// Whether one more request would be too many, without making it one.
    pub(crate) fn is_full(&self, config: &Config) -> bool {
        config
            .max_concurrent_requests
            .is_some_and(|limit| self.requests.load(Ordering::Relaxed) >= limit)
    }

    /// Counts a request for as long as what it returns lives; `None` where it is one too many.
    pub(crate) fn admit(&self, config: &Config) -> Option<Share<&AtomicUsize>> {
        let mut share = Share::of(&self.requests);
        match config.max_concurrent_requests {
            Some(limit) => share.grow(1, limit).then_some(share),
            // Where nobody asks there is no number that all threads would write to.
            None => Some(share),
        }
    }

    /// What a body that is being read holds: nothing yet.
    pub(crate) fn body(&self) -> HeldBody {
        Share::of(Arc::clone(&self.body_bytes))
    }
}

/// How many bytes a body holds, for as long as whoever has it is not done.
pub(crate) type HeldBody = Share<Arc<AtomicUsize>>;

/// A part of a number that many share, given back when it is dropped.
pub(crate) struct Share<W: Deref<Target = AtomicUsize>> {
    whole: W,
    part: usize,
}

impl<W: Deref<Target = AtomicUsize>> Share<W> {
    fn of(whole: W) -> Self {
        Self { whole, part: 0 }
    }

    /// One of those that `whole` counts.
    pub(crate) fn one(whole: W) -> Self {
        let mut share = Self::of(whole);
        share.grow(1, usize::MAX);
        share
    }

    /// Takes `more`; false where the whole then exceeds `limit`: the share is to be dropped then.
    pub(crate) fn grow(&mut self, more: usize, limit: usize) -> bool {
        let before = self.whole.fetch_add(more, Ordering::Relaxed);
        self.part += more;
        before.saturating_add(more) <= limit
    }
}

impl<W: Deref<Target = AtomicUsize>> Drop for Share<W> {
    fn drop(&mut self) {
        if self.part > 0 {
            self.whole.fetch_sub(self.part, Ordering::Relaxed);
        }
    }
}
