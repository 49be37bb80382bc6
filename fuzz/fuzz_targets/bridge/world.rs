//! What both sides know of each other.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use wapix::{Head, RepeatedFields, bridge::Bridge};

use crate::{
    answers::{Outbox, Progress},
    requests::Crossing,
};

pub(crate) type Key = (u32, u32);
pub(crate) type Answered = Pin<Box<dyn Future<Output = Option<(Head, Bytes)>>>>;

pub(crate) struct Tracked {
    pub(crate) key: Option<Key>,
    pub(crate) progress: Progress,
    /// Not where the client has left, or the answer was taken.
    pub(crate) answered: Option<Answered>,
}

pub(crate) struct World<'a> {
    pub(crate) bridge: &'a Arc<Bridge>,
    pub(crate) wakes: Arc<AtomicUsize>,
    pub(crate) seen_wakes: usize,
    /// The next record wakes JavaScript.
    pub(crate) idle: bool,
    pub(crate) requests: Vec<Tracked>,
    /// Header sections that come again.
    pub(crate) sections: Vec<RepeatedFields>,
    /// What JavaScript keeps of them, by its place.
    pub(crate) kept: HashMap<u32, Vec<u8>>,
    pub(crate) crossing: VecDeque<(usize, Crossing)>,
    pub(crate) by_key: HashMap<Key, usize>,
    pub(crate) over: HashSet<Key>,
    pub(crate) outbox: Outbox,
    /// Only records that JavaScript of ours could write were written.
    pub(crate) trusted: bool,
}

pub(crate) fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

impl<'a> World<'a> {
    pub(crate) fn new(bridge: &'a Arc<Bridge>, wakes: Arc<AtomicUsize>) -> Self {
        Self {
            bridge,
            wakes,
            seen_wakes: 0,
            idle: true,
            requests: Vec::new(),
            sections: Vec::new(),
            kept: HashMap::new(),
            crossing: VecDeque::new(),
            by_key: HashMap::new(),
            over: HashSet::new(),
            outbox: Outbox::default(),
            trusted: true,
        }
    }

    /// A request that was sent, and what hears of its answer.
    pub(crate) fn track(
        &mut self,
        answered: impl Future<Output = Option<(Head, Bytes)>> + 'static,
    ) {
        self.requests.push(Tracked {
            key: None,
            progress: Progress::Waiting,
            answered: Some(Box::pin(answered)),
        });
    }

    /// Checks that JavaScript was woken exactly where it has to be.
    pub(crate) fn woken(&mut self, queued: bool) {
        let wakes = self.wakes.load(Ordering::Relaxed);
        let woken = wakes - self.seen_wakes;
        self.seen_wakes = wakes;
        if queued {
            assert_eq!(woken, usize::from(self.idle), "queued, and woken");
        } else {
            assert!(woken <= usize::from(self.idle), "woken once");
        }
        self.idle &= woken == 0;
    }

    /// A request that JavaScript has seen.
    pub(crate) fn known(&self, which: u8) -> Option<(usize, Key)> {
        let known: Vec<_> = self
            .requests
            .iter()
            .enumerate()
            .filter_map(|(index, request)| Some((index, request.key?)))
            .collect();
        known
            .get(usize::from(which).checked_rem(known.len())?)
            .copied()
    }
}
