//! How much of a stream is asked for at a time: what comes is held in memory, and is to have come in time.

use std::time::Duration;

/// Entries, at first and where there are no more: of whatever size.
const FIRST_ENTRIES: usize = 32;
const MOST_ENTRIES: usize = 256;
/// Of about so many bytes, where there are more.
const BYTES: usize = 1 << 20;
/// For how long nothing comes from a Redis that is not there; twice as long each time, up to the longest, as it may
/// be that a large entry comes slowly.
const FIRST_PATIENCE: Duration = Duration::from_secs(2);
const LONGEST_PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, PartialEq)]
pub(super) struct Portion {
    pub(super) entries: usize,
    /// How long it is waited for.
    pub(super) patience: Duration,
}

impl Default for Portion {
    fn default() -> Self {
        Self {
            entries: FIRST_ENTRIES,
            patience: FIRST_PATIENCE,
        }
    }
}

impl Portion {
    /// So many entries have come, of so many bytes: where that was all there is, it begins anew.
    pub(super) fn came(&mut self, entries: usize, bytes: usize) {
        if entries < self.entries {
            *self = Self::default();
            return;
        }
        let fitting = BYTES / (bytes / entries.max(1)).max(1);
        self.entries = fitting.clamp(1, MOST_ENTRIES.min(2 * entries.max(1)));
    }

    /// It has not come.
    pub(super) fn failed(&mut self) {
        self.entries = 1;
        self.patience = LONGEST_PATIENCE.min(2 * self.patience);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_asked_for_while_there_is_more_and_less_where_it_is_large() {
        let mut portion = Portion::default();
        for asked in [32, 64, 128, 256, 256] {
            assert_eq!(portion.entries, asked);
            portion.came(asked, 100 * asked);
        }
        portion.came(256, 256 * BYTES / 4);
        assert_eq!(portion.entries, 4);
        portion.came(4, 9 * BYTES);
        assert_eq!(portion.entries, 1);
        portion.came(0, 0);
        assert_eq!(portion, Portion::default());
    }

    #[test]
    fn what_does_not_come_is_asked_for_alone_and_waited_for_longer() {
        let mut portion = Portion::default();
        portion.failed();
        assert_eq!((portion.entries, portion.patience.as_secs()), (1, 4));
        portion.came(1, 9 * BYTES);
        assert_eq!((portion.entries, portion.patience.as_secs()), (1, 4));
        for _ in 0..10 {
            portion.failed();
        }
        assert_eq!(portion.patience, LONGEST_PATIENCE);
    }
}
