//! The last events of a channel, for clients that come back.

use std::{
    collections::VecDeque,
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
};

use super::event::Event;

pub(super) struct History {
    /// In the order of their numbers, without a gap.
    events: VecDeque<Arc<Event>>,
    bytes: usize,
    most_events: usize,
    most_bytes: usize,
    /// The number of the next event.
    next: u64,
    /// In every id: one of another process, or of this one before it was started again, means nothing.
    epoch: u64,
}

/// What there is for a client that comes with the id of its last event.
pub(super) enum Resume<I> {
    /// It has none.
    New,
    /// The events after `last`.
    Missed { last: u64, events: I },
    /// Some of what it missed is not kept any more, or nobody knows what it was.
    Lost,
}

/// How many bits of an epoch there are: as many as are random enough, and short.
const EPOCH_BITS: u32 = 48;

impl History {
    pub(super) fn new(most_events: usize, most_bytes: usize) -> Self {
        Self {
            events: VecDeque::new(),
            bytes: 0,
            most_events,
            most_bytes,
            next: 1,
            // Each `RandomState` has keys of its own.
            epoch: RandomState::new().build_hasher().finish() >> (64 - EPOCH_BITS),
        }
    }

    /// The number that the next event gets.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// The id of the event of that number; 0 is before the first.
    pub(super) fn id(&self, number: u64) -> String {
        format!("{:012x}-{number}", self.epoch)
    }

    pub(super) fn push(&mut self, fields: &str, topic: Option<&str>) -> Arc<Event> {
        let event = Arc::new(Event::new(self.next, &self.id(self.next), fields, topic));
        self.next += 1;
        self.bytes += event.chunk.len();
        self.events.push_back(Arc::clone(&event));
        while self.events.len() > self.most_events || self.bytes > self.most_bytes {
            let Some(oldest) = self.events.pop_front() else {
                break;
            };
            self.bytes -= oldest.chunk.len();
        }
        event
    }

    pub(super) fn resume(&self, last_event_id: &str) -> Resume<impl Iterator<Item = &Arc<Event>>> {
        if last_event_id.is_empty() {
            return Resume::New;
        }
        let Some(last) = self.number(last_event_id) else {
            return Resume::Lost;
        };
        let oldest = self.next - self.events.len() as u64;
        match last
            .checked_add(1)
            .and_then(|next| next.checked_sub(oldest))
        {
            Some(had) if last < self.next => Resume::Missed {
                last,
                // At most as many as there are: `last` is before `next`.
                events: self.events.iter().skip(had as usize),
            },
            _ => Resume::Lost,
        }
    }

    /// The number in an id, where it is one of this history's.
    fn number(&self, id: &str) -> Option<u64> {
        let number = id.split_once('-')?.1.parse().ok()?;
        (self.id(number) == id).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(most_events: usize, most_bytes: usize, events: u64) -> History {
        let mut history = History::new(most_events, most_bytes);
        for number in 1..=events {
            let event = history.push("data: x\n", None);
            assert_eq!(event.number, number);
        }
        history
    }

    /// The numbers of what is sent again, or `None` where that is not known.
    fn missed(history: &History, id: &str) -> Option<Vec<u64>> {
        match history.resume(id) {
            Resume::Missed { events, .. } => Some(events.map(|event| event.number).collect()),
            Resume::New | Resume::Lost => None,
        }
    }

    #[test]
    fn what_was_missed_comes_in_order_and_once() {
        let history = filled(10, 10_000, 5);
        assert_eq!(missed(&history, &history.id(0)), Some(vec![1, 2, 3, 4, 5]));
        assert_eq!(missed(&history, &history.id(3)), Some(vec![4, 5]));
        assert_eq!(missed(&history, &history.id(5)), Some(vec![]));
    }

    #[test]
    fn as_many_events_are_kept_as_were_asked_for() {
        let history = filled(3, 10_000, 10);
        assert_eq!(missed(&history, &history.id(7)), Some(vec![8, 9, 10]));
        assert_eq!(missed(&history, &history.id(10)), Some(vec![]));
        assert!(matches!(history.resume(&history.id(6)), Resume::Lost));
    }

    #[test]
    fn as_many_bytes_are_kept_as_were_asked_for() {
        // "id: 0123456789ab-1\ndata: x\n\n" is of 28 bytes.
        let history = filled(100, 60, 9);
        assert_eq!(missed(&history, &history.id(7)), Some(vec![8, 9]));
        assert!(matches!(history.resume(&history.id(6)), Resume::Lost));
    }

    #[test]
    fn nothing_is_kept_of_what_is_too_large() {
        let mut history = filled(100, 60, 2);
        history.push(&format!("data: {}\n", "x".repeat(100)), None);
        assert!(matches!(history.resume(&history.id(2)), Resume::Lost));
        assert_eq!(missed(&history, &history.id(3)), Some(vec![]));
        history.push("data: x\n", None);
        assert_eq!(missed(&history, &history.id(3)), Some(vec![4]));
    }

    #[test]
    fn an_id_of_something_else_is_lost_and_none_is_new() {
        let history = filled(10, 10_000, 5);
        let other = filled(10, 10_000, 5);
        for id in [
            other.id(3),
            history.id(6),
            history.id(u64::MAX),
            format!("{}x", history.id(3)),
            history.id(3).replace('-', "-+"),
            history.id(3).replace('-', "-0"),
            "3".to_owned(),
            "-".to_owned(),
        ] {
            assert!(matches!(history.resume(&id), Resume::Lost), "{id}");
        }
        assert!(matches!(history.resume(""), Resume::New));
    }

    #[test]
    fn without_a_history_only_who_missed_nothing_goes_on() {
        let history = filled(0, 0, 5);
        assert_eq!(missed(&history, &history.id(5)), Some(vec![]));
        assert!(matches!(history.resume(&history.id(4)), Resume::Lost));
    }
}
