//! Requests in flight: where JavaScript's answers find their exchange.

use slab::Slab;
use tokio::sync::mpsc::UnboundedSender;

use crate::{body::BodySender, channel::Subscription, exchange::Exchange};

/// Names one request: its place and a number that tells it from earlier ones in the same place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Key {
    pub(super) slot: u32,
    pub(super) serial: u32,
}

impl Key {
    pub(super) fn to_token(self) -> u64 {
        u64::from(self.serial) << 32 | u64::from(self.slot)
    }

    pub(super) fn from_token(token: u64) -> Self {
        Self {
            slot: token as u32,
            serial: (token >> 32) as u32,
        }
    }
}

/// How far JavaScript's answer has come.
pub(super) enum Progress {
    Waiting(Exchange),
    Streaming(BodySender),
    /// A channel sends it what is published.
    Subscribed(#[expect(dead_code, reason = "kept to be dropped: then it leaves")] Subscription),
    /// JavaScript has sent everything; hyper has not taken everything.
    Ended,
}

struct Slot {
    serial: u32,
    progress: Progress,
    /// Where JavaScript asks for what comes next of the request's body, which nobody reads any more when
    /// this is dropped.
    reads: Option<UnboundedSender<()>>,
}

#[derive(Default)]
pub(super) struct Slots {
    slab: Slab<Slot>,
    next_serial: u32,
    /// How many wait for JavaScript's answer.
    waiting: usize,
}

impl Slots {
    pub(super) fn insert(&mut self, exchange: Exchange, reads: Option<UnboundedSender<()>>) -> Key {
        self.waiting += 1;
        let serial = self.next_serial;
        self.next_serial = serial.wrapping_add(1);
        let slot = self.slab.insert(Slot {
            serial,
            progress: Progress::Waiting(exchange),
            reads,
        });
        Key {
            slot: slot as u32,
            serial,
        }
    }

    /// Has the next chunk of the request's body read.
    pub(super) fn read(&mut self, key: Key) {
        if let Some(slot) = self.slab.get(key.slot as usize)
            && slot.serial == key.serial
            && let Some(reads) = &slot.reads
        {
            // Nobody hears it where the body has ended.
            let _ = reads.send(());
        }
    }

    /// The request's progress, or `None` where it is over.
    pub(super) fn get(&mut self, key: Key) -> Option<&mut Progress> {
        match self.slab.get_mut(key.slot as usize) {
            Some(slot) if slot.serial == key.serial => Some(&mut slot.progress),
            _ => None,
        }
    }

    /// Sets the request's progress and returns the one before, or `None` where it is over.
    pub(super) fn replace(&mut self, key: Key, next: Progress) -> Option<Progress> {
        let before = std::mem::replace(self.get(key)?, next);
        self.count_out(&before);
        Some(before)
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<Progress> {
        self.get(key)?;
        let before = self.slab.remove(key.slot as usize).progress;
        self.count_out(&before);
        Some(before)
    }

    fn count_out(&mut self, before: &Progress) {
        self.waiting -= usize::from(matches!(before, Progress::Waiting(_)));
    }

    /// Whether JavaScript's answer is waited for by one request only.
    pub(super) fn is_one_waiting(&self) -> bool {
        self.waiting == 1
    }
}
