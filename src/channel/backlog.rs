//! What was published, and has not begun its round of the subscribers.

use std::{collections::VecDeque, sync::Arc};

use super::event::Event;

/// How many bytes may wait, where a subscriber's queue is no larger. So much waits where events are published
/// faster than they can be written to everybody, or for long without a turn of who writes them.
const LEAST: usize = 64 << 20;

pub(super) struct Backlog {
    events: VecDeque<Arc<Event>>,
    /// How large they are.
    bytes: usize,
    most: usize,
    /// How many events before these nobody is given.
    skipped: u64,
    /// How many events there were, with these.
    published: u64,
}

impl Backlog {
    /// For subscribers of whom each has a queue of so many bytes.
    pub(super) fn new(queue: usize) -> Self {
        Self {
            events: VecDeque::new(),
            bytes: 0,
            most: queue.max(LEAST),
            skipped: 0,
            published: 0,
        }
    }

    pub(super) fn published(&self) -> u64 {
        self.published
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Whether there is room for more.
    pub(super) fn push(&mut self, event: Arc<Event>) -> bool {
        self.bytes += event.size();
        self.events.push_back(event);
        self.published += 1;
        self.bytes <= self.most
    }

    /// Nobody is given what waits: `restart` says so.
    pub(super) fn skip(&mut self, restart: Arc<Event>) {
        self.skipped += self.events.len() as u64;
        self.events = VecDeque::new();
        self.bytes = 0;
        self.push(restart);
    }

    /// How many events before the next one nobody is given; until this was asked, there is none.
    pub(super) fn take_skipped(&mut self) -> u64 {
        std::mem::take(&mut self.skipped)
    }

    /// The next event, where it `fits`.
    pub(super) fn pop(&mut self, fits: impl FnOnce(&Event) -> bool) -> Option<Arc<Event>> {
        let next = self.events.front().filter(|_| self.skipped == 0);
        next.filter(|event| fits(event))?;
        let event = self.events.pop_front()?;
        self.bytes -= event.size();
        if self.is_empty() {
            // A burst may have needed much.
            self.events.shrink_to(64);
        }
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(length: usize) -> Arc<Event> {
        Arc::new(Event::notice(1, &"x".repeat(length)))
    }

    #[test]
    fn there_is_room_for_as_much_as_a_subscriber_may_have_waiting_and_64_mib_at_least() {
        for (queue, most) in [(0, LEAST), (2 * LEAST, 2 * LEAST)] {
            let mut backlog = Backlog::new(queue);
            assert!(backlog.push(event(most / 2)));
            assert!(backlog.push(event(most / 4)));
            assert!(!backlog.push(event(most / 4)));
            assert!(backlog.pop(|_| true).is_some());
            assert!(backlog.push(event(most / 4)));
        }
    }

    #[test]
    fn what_is_skipped_is_counted_and_nothing_comes_before_that() {
        let mut backlog = Backlog::new(0);
        for _ in 0..3 {
            backlog.push(event(1));
        }
        backlog.skip(event(2));
        backlog.push(event(3));
        assert_eq!(backlog.published(), 5);
        assert!(backlog.pop(|_| true).is_none());
        assert_eq!(backlog.take_skipped(), 3);
        let next = [2, 3].map(|_| backlog.pop(|_| true).map(|event| event.chunk.len()));
        assert_eq!(next, [Some(2), Some(3)]);
        assert!(backlog.is_empty());
    }
}
