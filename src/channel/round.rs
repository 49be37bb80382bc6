//! Events on their way round the subscribers of one server. Who goes round gives each subscriber all that
//! has come since it was there last: so no event waits for the end of the round before it.

use std::{collections::VecDeque, ops::Range, sync::Arc};

use super::{backlog::Backlog, event::Event};
use crate::body::SharedChunk;

/// Events that have come in the meantime are written as one up to this size, in bytes.
pub(super) const JOIN_UP_TO: usize = 16 * 1024;

/// How many bytes of events are on their way at a time, where it is more than one: what is given to one
/// subscriber after the other is bounded, however much has come.
const WINDOW: usize = 256 * 1024;

/// Events that not every subscriber has been given.
#[derive(Default)]
pub(super) struct Round {
    events: VecDeque<Arc<Event>>,
    bytes: usize,
    /// Of each event, where all have it: where it was when the event came, a round later.
    ends: VecDeque<Place>,
    /// How many events came before these.
    given: u64,
    /// Who is next.
    next: Place,
}

/// Where it is: how many rounds it has gone, and which subscriber is next.
#[derive(Clone, Copy, Default, PartialEq, PartialOrd)]
struct Place {
    rounds: u64,
    index: usize,
}

impl Round {
    /// Takes what has come, as much as there is room for: those who are next get it first.
    pub(super) fn add(&mut self, backlog: &mut Backlog) {
        if self.is_over() {
            self.given += backlog.take_skipped();
        }
        while let Some(event) =
            backlog.pop(|event| self.is_over() || self.bytes + event.chunk.len() <= WINDOW)
        {
            self.bytes += event.chunk.len();
            self.events.push_back(event);
        }
        let end = Place {
            rounds: self.next.rounds + 1,
            ..self.next
        };
        self.ends.resize(self.events.len(), end);
    }

    /// How many events every subscriber was given, or nobody will be.
    pub(super) fn given(&self) -> u64 {
        self.given
    }

    pub(super) fn is_over(&self) -> bool {
        self.events.is_empty()
    }

    /// Who is next of `places`, at most so many: those are to be given what is here.
    pub(super) fn turn(&self, most: usize, places: usize) -> Range<usize> {
        let start = self.next.index.min(places);
        start..places.min(start + most)
    }

    /// Those before `end` of `places` have been given what is here: lets go of what all have.
    pub(super) fn advance(&mut self, end: usize, places: usize) {
        self.next.index = end;
        if end == places {
            self.next = Place {
                rounds: self.next.rounds + 1,
                index: 0,
            };
        }
        while self.ends.front().is_some_and(|end| *end <= self.next) {
            self.ends.pop_front();
            let event = self.events.pop_front();
            self.bytes -= event.map_or(0, |event| event.chunk.len());
            self.given += 1;
        }
        if self.is_over() {
            // A burst may have needed much.
            self.events.shrink_to(64);
            self.ends.shrink_to(64);
        }
    }

    /// What those are to be given who are next.
    pub(super) fn batches(&mut self) -> Batches<'_> {
        Batches {
            given: self.given,
            events: self.events.make_contiguous(),
            known: Vec::new(),
        }
    }
}

/// Events as they are given to some subscribers, of whom most have had the same.
pub(super) struct Batches<'a> {
    given: u64,
    events: &'a [Arc<Event>],
    known: Vec<(usize, Batch<'a>)>,
}

impl<'a> Batches<'a> {
    /// What comes after the first `seen` events, as much of it as is good in one chunk, and how many there
    /// were at its end.
    pub(super) fn after(&mut self, seen: u64) -> Option<(&Batch<'a>, u64)> {
        let from = seen.saturating_sub(self.given) as usize;
        let events = self.events.get(from..)?;
        if events.is_empty() {
            return None;
        }
        let known = self.known.iter().rposition(|(start, _)| *start == from);
        let place = known.unwrap_or_else(|| {
            self.known.push((from, Batch::first_of(events)));
            self.known.len() - 1
        });
        let (_, batch) = self.known.get(place)?;
        let end = self.given + (from + batch.events.len()) as u64;
        Some((batch, end))
    }
}

/// Events that are written together.
pub(super) struct Batch<'a> {
    /// At least one.
    pub(super) events: &'a [Arc<Event>],
    /// The least of their numbers.
    pub(super) first: u128,
    /// The same as one chunk.
    pub(super) joined: SharedChunk,
}

impl<'a> Batch<'a> {
    fn first_of(events: &'a [Arc<Event>]) -> Self {
        let mut length = 0;
        let mut fits = |event: &&Arc<Event>| {
            length += event.chunk.len();
            length <= JOIN_UP_TO
        };
        // What follows a restart is for others than what comes before it.
        let is_alone = |event: &&Arc<Event>| event.restarts_beyond.is_some();
        let count = events
            .iter()
            .take_while(|event| !is_alone(event) && fits(event))
            .count()
            .max(1);
        let events = &events[..count];
        Self {
            events,
            first: events.iter().map(|event| event.number).min().unwrap_or(0),
            joined: SharedChunk::joined(events.iter().map(|event| &event.chunk)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backlog_of<'a>(texts: impl Iterator<Item = &'a String>) -> Backlog {
        let mut backlog = Backlog::new(0);
        for text in texts {
            backlog.push(Arc::new(Event::notice(1, text)));
        }
        backlog
    }

    /// Subscribers by their places, each with how many events it has seen and what it was given.
    struct Subscribers {
        all: Vec<Option<(u64, String)>>,
        backlog: Backlog,
        round: Round,
        published: u64,
    }

    impl Subscribers {
        fn new(count: usize) -> Self {
            Self {
                all: vec![Some((0, String::new())); count],
                backlog: Backlog::new(0),
                round: Round::default(),
                published: 0,
            }
        }

        fn publish(&mut self) {
            self.published += 1;
            let fields = self.published.to_string();
            let event = Event::notice(self.published.into(), &fields);
            self.backlog.push(Arc::new(event));
            self.round.add(&mut self.backlog);
        }

        fn turn(&mut self, turn: usize) {
            let range = self.round.turn(turn, self.all.len());
            let end = range.end;
            let mut batches = self.round.batches();
            for (seen, given) in self.all[range].iter_mut().flatten() {
                while let Some((batch, end)) = batches.after(*seen) {
                    let content = batch.joined.content();
                    given.push_str(std::str::from_utf8(&content).expect("text"));
                    *seen = end;
                }
                assert!(*seen >= self.published);
            }
            self.round.advance(end, self.all.len());
        }

        fn given(&self) -> Vec<&str> {
            let given = self.all.iter().flatten();
            given.map(|(_, given)| given.as_str()).collect()
        }
    }

    #[test]
    fn an_event_that_comes_in_the_middle_of_a_round_goes_to_those_who_are_next_at_once() {
        let mut subscribers = Subscribers::new(4);
        subscribers.publish();
        subscribers.turn(2);
        assert_eq!(subscribers.given(), ["1", "1", "", ""]);
        subscribers.publish();
        subscribers.turn(2);
        assert_eq!(subscribers.given(), ["1", "1", "12", "12"]);
        assert_eq!(subscribers.round.given(), 1);
        subscribers.turn(2);
        assert_eq!(subscribers.given(), ["12"; 4]);
        assert!(subscribers.round.is_over());
    }

    #[test]
    fn every_subscriber_is_given_every_event_once_and_in_order_whoever_comes_and_goes() {
        let mut subscribers = Subscribers::new(7);
        let mut random = 1_u32;
        for step in 0..2000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            match random >> 29 {
                0 | 1 => subscribers.publish(),
                2 => {
                    // Who comes has had what came before.
                    let before = (1..=subscribers.published).map(|number| number.to_string());
                    let new = Some((subscribers.published, before.collect()));
                    match subscribers.all.iter_mut().find(|place| place.is_none()) {
                        Some(place) => *place = new,
                        None => subscribers.all.push(new),
                    }
                }
                3 if step % 5 == 0 => {
                    let place = random as usize % subscribers.all.len();
                    subscribers.all[place] = None;
                }
                _ => subscribers.turn(1 + (random >> 20) as usize % 4),
            }
        }
        while !subscribers.round.is_over() {
            subscribers.turn(3);
        }
        let all: String = (1..=subscribers.published)
            .map(|number| number.to_string())
            .collect();
        for given in subscribers.given() {
            assert_eq!(given, all);
        }
        assert_eq!(subscribers.round.given(), subscribers.published);
    }

    #[test]
    fn without_subscribers_events_go_by() {
        let mut subscribers = Subscribers::new(0);
        subscribers.publish();
        subscribers.turn(2);
        assert!(subscribers.round.is_over());
    }

    #[test]
    fn events_are_joined_up_to_a_size() {
        let mut round = Round::default();
        let large = "x".repeat(JOIN_UP_TO / 2);
        round.add(&mut backlog_of([&large, &large, &large].into_iter()));
        let mut batches = round.batches();
        let lengths =
            [0, 2, 3].map(|seen| batches.after(seen).map(|(batch, _)| batch.events.len()));
        assert_eq!(lengths, [Some(2), Some(1), None]);
    }

    #[test]
    fn so_much_is_on_its_way_at_a_time_and_at_least_one_event() {
        let lengths = [WINDOW / 2, WINDOW / 2, 1, 2 * WINDOW, 1];
        let texts = lengths.map(|length| "x".repeat(length));
        let mut backlog = backlog_of(texts.iter());
        let mut round = Round::default();
        for given in [2, 3, 4, 5] {
            round.add(&mut backlog);
            round.advance(0, 0);
            assert_eq!(round.given(), given);
        }
        assert!(round.is_over() && backlog.is_empty());
    }

    #[test]
    fn what_is_skipped_nobody_is_given_and_what_follows_everybody() {
        let mut subscribers = Subscribers::new(4);
        subscribers.publish();
        subscribers.turn(2);
        for text in ["2", "3"] {
            subscribers.backlog.push(Arc::new(Event::notice(1, text)));
        }
        subscribers.backlog.skip(Arc::new(Event::notice(1, "4")));
        // Who comes now has seen all of it.
        subscribers.all.push(Some((4, String::new())));
        subscribers.published = 1;
        subscribers.round.add(&mut subscribers.backlog);
        subscribers.turn(5);
        assert_eq!(subscribers.given(), ["1", "1", "1", "1", ""]);
        subscribers.published = 4;
        subscribers.publish();
        subscribers.turn(5);
        assert_eq!(subscribers.given(), ["145", "145", "145", "145", "5"]);
        assert_eq!(subscribers.round.given(), 5);
    }
}
