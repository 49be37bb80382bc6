//! The last events of a channel, for clients that come back.

use std::{
    collections::{VecDeque, vec_deque},
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
};

use super::event::Event;

pub(super) struct History {
    /// In the order of their numbers.
    events: VecDeque<Arc<Event>>,
    bytes: usize,
    most_events: usize,
    most_bytes: usize,
    /// The number of the last event, whether it is kept or not.
    latest: u128,
    /// What came after the event of this number is kept.
    since: u128,
    /// Nothing came before what is kept.
    is_whole: bool,
    ids: Ids,
}

/// What ids are made of.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Ids {
    /// A number of this process, and those of events from 1: an id of another process, or of this one before
    /// it was started again, means nothing.
    Own(u64),
    /// Redis': a time in milliseconds and a number (each of 64 bits of ours).
    Stream,
}

/// What there is for a client that comes with the id of its last event.
pub(super) enum Resume {
    /// It has none.
    New,
    /// The events after the one of this number.
    After(u128),
    /// Some of what it missed is not kept any more, or nobody knows what it was.
    Lost,
}

/// How many bits of an epoch there are: as many as are random enough, and short.
const EPOCH_BITS: u32 = 48;

impl Ids {
    pub(super) fn own() -> Self {
        // Each `RandomState` has keys of its own.
        Self::Own(RandomState::new().build_hasher().finish() >> (64 - EPOCH_BITS))
    }

    /// The id of the event of that number; 0 is before the first.
    fn id(self, number: u128) -> String {
        match self {
            Self::Own(epoch) => format!("{epoch:012x}-{number}"),
            Self::Stream => format!("{}-{}", (number >> 64) as u64, number as u64),
        }
    }

    /// The number in an id, where it is one of ours.
    fn number(self, id: &str) -> Option<u128> {
        let (first, last) = id.split_once('-')?;
        let number = match self {
            Self::Own(_) => last.parse().ok()?,
            Self::Stream => {
                let (time, number): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
                u128::from(time) << 64 | u128::from(number)
            }
        };
        (self.id(number) == id).then_some(number)
    }
}

impl History {
    pub(super) fn new(ids: Ids, most_events: usize, most_bytes: usize) -> Self {
        Self {
            events: VecDeque::new(),
            bytes: 0,
            most_events,
            most_bytes,
            latest: 0,
            since: 0,
            is_whole: true,
            ids,
        }
    }

    /// The number of the last event.
    pub(super) fn latest(&self) -> u128 {
        self.latest
    }

    /// The id of the event of that number; 0 is before the first.
    pub(super) fn id(&self, number: u128) -> String {
        self.ids.id(number)
    }

    /// The number in an id, where it is one of ours.
    pub(super) fn number(&self, id: &str) -> Option<u128> {
        self.ids.number(id)
    }

    /// An event of this process.
    pub(super) fn push(&mut self, fields: &str, topic: Option<&str>) -> Arc<Event> {
        let number = self.latest + 1;
        self.keep(Event::new(number, &self.id(number), fields, topic))
    }

    /// An event of the stream; `None` where its id is not after the others.
    pub(super) fn add(
        &mut self,
        id: &str,
        fields: &str,
        topic: Option<&str>,
    ) -> Option<Arc<Event>> {
        let number = self.ids.number(id).filter(|number| *number > self.latest)?;
        Some(self.keep(Event::new(number, id, fields, topic)))
    }

    /// Forgets everything: the first that is added begins it anew.
    pub(super) fn restart(&mut self, is_whole: bool) {
        *self = Self {
            is_whole,
            ..Self::new(self.ids, self.most_events, self.most_bytes)
        };
    }

    fn keep(&mut self, event: Event) -> Arc<Event> {
        let event = Arc::new(event);
        if self.latest == 0 && self.ids == Ids::Stream {
            // Who has seen the first that is known has missed nothing before it; who has seen less, may have.
            self.since = event.number;
        }
        self.latest = event.number;
        self.bytes += event.chunk.len();
        self.events.push_back(Arc::clone(&event));
        while self.events.len() > self.most_events || self.bytes > self.most_bytes {
            let Some(oldest) = self.events.pop_front() else {
                break;
            };
            self.bytes -= oldest.chunk.len();
            self.since = oldest.number;
            self.is_whole = false;
        }
        event
    }

    pub(super) fn resume(&self, last_event_id: &str) -> Resume {
        if last_event_id.is_empty() {
            return Resume::New;
        }
        let last = self.ids.number(last_event_id);
        last.filter(|last| self.after(*last).is_some())
            .map_or(Resume::Lost, Resume::After)
    }

    /// The events after the one of that number; `None` where that is not known any more.
    pub(super) fn after(&self, last: u128) -> Option<vec_deque::Iter<'_, Arc<Event>>> {
        // Another process may have read more of the stream.
        let is_ahead = last > self.latest && self.ids != Ids::Stream;
        let is_behind = last < self.since && !(last == 0 && self.is_whole);
        if is_ahead || is_behind {
            return None;
        }
        let had = self.events.partition_point(|event| event.number <= last);
        Some(self.events.range(had..))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(most_events: usize, most_bytes: usize, events: u128) -> History {
        let mut history = History::new(Ids::own(), most_events, most_bytes);
        for number in 1..=events {
            let event = history.push("data: x\n", None);
            assert_eq!(event.number, number);
        }
        history
    }

    /// The numbers of what is sent again, or `None` where that is not known.
    fn missed(history: &History, id: &str) -> Option<Vec<u128>> {
        match history.resume(id) {
            Resume::After(last) => history
                .after(last)
                .map(|events| events.map(|event| event.number).collect()),
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
            history.id(u128::MAX),
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

    fn of_stream(most_events: usize, ids: &[&str], is_whole: bool) -> History {
        let mut history = History::new(Ids::Stream, most_events, 10_000);
        history.restart(is_whole);
        for id in ids {
            history.add(id, "data: x\n", None);
        }
        history
    }

    #[test]
    fn ids_of_a_stream_are_in_order_and_each_is_taken_once() {
        let history = of_stream(10, &["5-0", "5-1", "5-1", "9-0", "7-0"], false);
        let known: Vec<_> = history
            .events
            .iter()
            .map(|event| history.id(event.number))
            .collect();
        assert_eq!(known, ["5-0", "5-1", "9-0"]);
        assert_eq!(missed(&history, "5-0").map(|missed| missed.len()), Some(2));
        // One that was trimmed: what is after it is known all the same.
        assert_eq!(missed(&history, "6-0").map(|missed| missed.len()), Some(1));
        assert_eq!(
            missed(&history, "12-0"),
            Some(vec![]),
            "another process knows more"
        );
        for id in ["4-9", "0-0", "05-0", "5", "a-1"] {
            assert!(matches!(history.resume(id), Resume::Lost), "{id}");
        }
    }

    #[test]
    fn who_was_there_before_the_first_of_a_stream_gets_all_of_it_while_it_is_kept() {
        let mut history = of_stream(2, &["5-0", "5-1"], true);
        assert_eq!(missed(&history, "0-0").map(|missed| missed.len()), Some(2));
        history.add("6-0", "data: x\n", None);
        assert!(matches!(history.resume("0-0"), Resume::Lost));
        assert_eq!(missed(&history, "5-0").map(|missed| missed.len()), Some(2));
    }
}
