//! Events that the subscribers of this process were sent before Redis had them, and that have not been read:
//! who comes back has not had them.

use std::{collections::VecDeque, sync::Arc};

use super::event::Event;

#[derive(Default)]
pub(super) struct Waiting {
    /// In the order of their numbers.
    events: VecDeque<WaitingEvent>,
}

struct WaitingEvent {
    /// Among those that were sent here.
    number: u64,
    event: Arc<Event>,
    /// Redis has it, as the event of that number.
    taken: Option<u128>,
}

impl Waiting {
    pub(super) fn push(&mut self, number: u64, event: Arc<Event>) {
        self.events.push_back(WaitingEvent {
            number,
            event,
            taken: None,
        });
    }

    pub(super) fn remove(&mut self, number: u64) {
        if let Ok(place) = self.place(number) {
            self.events.remove(place);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Event>> {
        self.events.iter().map(|waiting| &waiting.event)
    }

    /// What was sent here, up to the event of that number, has been read.
    pub(super) fn read_sent(&mut self, sent: Option<u64>) {
        let had = self
            .events
            .partition_point(|waiting| Some(waiting.number) <= sent);
        self.events.drain(..had);
    }

    /// What Redis had, up to the event of that number, has been read or will never be.
    pub(super) fn read(&mut self, number: u128) {
        let is_read = |waiting: &WaitingEvent| waiting.taken.is_some_and(|taken| taken <= number);
        while self.events.front().is_some_and(is_read) {
            self.events.pop_front();
        }
    }

    /// Redis has taken one, as the event of that number. Whether it has not been read.
    pub(super) fn take(&mut self, sent: u64, number: Option<u128>) -> bool {
        let place = self.place(sent).ok();
        let waiting = place.and_then(|place| self.events.get_mut(place));
        waiting.map(|waiting| waiting.taken = number).is_some()
    }

    fn place(&self, number: u64) -> Result<usize, usize> {
        self.events.binary_search_by_key(&number, |it| it.number)
    }
}
