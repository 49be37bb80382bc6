//! How much is on its way to Redis: who publishes faster than Redis takes it is told so, before that fills the
//! memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// So many events, and so many bytes of them, of which one may be larger. Beside them, as many as are asked to
/// wait for a Redis that cannot be reached.
const MOST_EVENTS: usize = 100_000;
const MOST_BYTES: usize = 64 << 20;

/// Why an event is refused that is one too many.
pub(super) const TOO_MUCH: &str =
    "100,000 events, or 64 MiB, are on their way to it: await publish(), or publish less";

pub(super) struct InFlight {
    /// How many events are let in whatever their size.
    queue: usize,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    events: usize,
    bytes: usize,
}

/// The place of an event among those that are on their way, up to its end.
pub(super) struct Permit {
    in_flight: Arc<InFlight>,
    bytes: usize,
}

impl InFlight {
    pub(super) fn new(queue: usize) -> Arc<Self> {
        Arc::new(Self {
            queue,
            counts: Mutex::default(),
        })
    }

    /// A place for an event of so many bytes, where there is one.
    pub(super) fn enter(self: &Arc<Self>, bytes: usize) -> Option<Permit> {
        let mut counts = self.lock();
        let is_within = counts.events < MOST_EVENTS && counts.bytes + bytes <= MOST_BYTES;
        if counts.events > 0 && counts.events >= self.queue && !is_within {
            return None;
        }
        counts.events += 1;
        counts.bytes += bytes;
        Some(Permit {
            in_flight: Arc::clone(self),
            bytes,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // No code that can panic runs under this lock.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.in_flight.lock();
        counts.events -= 1;
        counts.bytes -= self.bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_so_many_events_and_again_once_they_have_left() {
        let in_flight = InFlight::new(0);
        let mut permits: Vec<_> = (0..MOST_EVENTS).map(|_| in_flight.enter(10)).collect();
        assert!(permits.iter().all(Option::is_some));
        assert!(in_flight.enter(10).is_none());
        permits.pop();
        assert!(in_flight.enter(10).is_some());
    }

    #[test]
    fn there_is_room_for_so_many_bytes_and_for_one_event_that_is_larger() {
        let in_flight = InFlight::new(0);
        let half = in_flight.enter(MOST_BYTES / 2);
        assert!(half.is_some() && in_flight.enter(MOST_BYTES).is_none());
        drop(half);
        let larger = in_flight.enter(2 * MOST_BYTES);
        assert!(larger.is_some() && in_flight.enter(0).is_none());
    }

    #[test]
    fn as_many_as_are_asked_to_wait_are_let_in_whatever_their_size() {
        let in_flight = InFlight::new(3);
        let permits: Vec<_> = (0..4).map(|_| in_flight.enter(MOST_BYTES)).collect();
        assert_eq!(permits.iter().flatten().count(), 3);
    }
}
