//! Requests in flight: where JavaScript's answers find their exchange.

use slab::Slab;

use crate::{body::BodySender, exchange::Exchange};

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
    /// JavaScript has sent everything; hyper has not taken everything.
    Ended,
}

#[derive(Default)]
pub(super) struct Slots {
    slab: Slab<(u32, Progress)>,
    next_serial: u32,
}

impl Slots {
    pub(super) fn insert(&mut self, exchange: Exchange) -> Key {
        let serial = self.next_serial;
        self.next_serial = serial.wrapping_add(1);
        let slot = self.slab.insert((serial, Progress::Waiting(exchange))) as u32;
        Key { slot, serial }
    }

    /// The request's progress, or `None` where it is over.
    pub(super) fn get(&mut self, key: Key) -> Option<&mut Progress> {
        match self.slab.get_mut(key.slot as usize) {
            Some((serial, progress)) if *serial == key.serial => Some(progress),
            _ => None,
        }
    }

    /// Sets the request's progress and returns the one before, or `None` where it is over.
    pub(super) fn replace(&mut self, key: Key, next: Progress) -> Option<Progress> {
        self.get(key)
            .map(|progress| std::mem::replace(progress, next))
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<Progress> {
        self.get(key)?;
        Some(self.slab.remove(key.slot as usize).1)
    }
}
