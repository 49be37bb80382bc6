//! Busy polling: looks, for a little while, for what follows an answer, before the event loop sleeps.
//!
//! A client or a proxy of the same machine has its next request some microseconds after an answer. To fall asleep, and
//! be woken by it, takes longer than to look, and more of the processor.

use std::{cell::Cell, time::Duration};

/// How long is looked for a request after the last.
pub(super) const LINGER: Duration = Duration::from_micros(10);
/// After so long the rest of the event loop has its turn, whatever comes.
pub(super) const STAY: Duration = Duration::from_micros(100);
/// Where nothing ever comes in time, it is looked after one answer in 2 to the power of this.
const MOST_MISSES: u32 = 10;

/// Knows whether it is worth the while: where nothing came, fewer answers are followed by a look.
#[derive(Default)]
pub(super) struct BusyPoll {
    /// How many more times nothing came than something.
    misses: Cell<u32>,
    /// How many answers it is not looked after.
    skips: Cell<u32>,
}

impl BusyPoll {
    /// Whether to look after this answer.
    pub(super) fn is_due(&self) -> bool {
        let skips = self.skips.get();
        self.skips.set(skips.saturating_sub(1));
        skips == 0
    }

    /// Something came.
    pub(super) fn hit(&self) {
        self.misses.set(self.misses.get().saturating_sub(1));
    }

    /// Nothing came.
    pub(super) fn missed(&self) {
        let misses = (self.misses.get() + 1).min(MOST_MISSES);
        self.misses.set(misses);
        self.skips.set((1 << misses) - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After how many of so many answers it is looked, where `came` is what comes of each look.
    fn looks(busy_poll: &BusyPoll, answers: u32, came: bool) -> u32 {
        let mut looks = 0;
        for _ in 0..answers {
            if busy_poll.is_due() {
                looks += 1;
                if came {
                    busy_poll.hit();
                } else {
                    busy_poll.missed();
                }
            }
        }
        looks
    }

    #[test]
    fn what_comes_in_time_is_looked_for_after_each_answer() {
        assert_eq!(looks(&BusyPoll::default(), 1000, true), 1000);
    }

    #[test]
    fn what_never_comes_is_hardly_looked_for() {
        let busy_poll = BusyPoll::default();
        looks(&busy_poll, 2048, false);
        assert_eq!(looks(&busy_poll, 1024 * 100, false), 100);
    }

    #[test]
    fn it_is_noticed_when_something_comes_in_time_again() {
        let busy_poll = BusyPoll::default();
        looks(&busy_poll, 1024 * 100, false);
        looks(&busy_poll, 2048, true);
        assert_eq!(looks(&busy_poll, 1000, true), 1000);
    }
}
