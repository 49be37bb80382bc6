//! What a client missed is sent when it comes back: in portions, each under a lock of its own, as who publishes
//! waits for that.

use std::sync::MutexGuard;

use bytes::Bytes;

use super::{Channel, State, Topics, event, history::Resume};
use crate::body::BodySender;

/// How many events of the history are looked at under one lock.
const PORTION: usize = 1024;

impl Channel {
    /// Sends what a client missed, or tells it that this is not known any more; and in either case how
    /// far it is now, so that it can come back before the next event. Returns the number of the last event it
    /// has, and the lock: nothing was published since.
    pub(super) fn catch_up(
        &self,
        sender: &BodySender,
        last_event_id: &str,
        topics: &Topics,
    ) -> (MutexGuard<'_, State>, u128) {
        let state = self.lock();
        if !state.is_loaded {
            return (state, 0);
        }
        let latest = state.history.latest();
        let position = match state.history.resume(last_event_id) {
            Resume::After(last) => return self.replay(state, sender, last, topics),
            Resume::New => event::position(&state.history.id(latest)),
            Resume::Lost => event::reset(&state.history.id(latest)),
        };
        sender.send(Bytes::from(position));
        (state, latest)
    }

    fn replay<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        sender: &BodySender,
        last: u128,
        topics: &Topics,
    ) -> (MutexGuard<'a, State>, u128) {
        let (mut seen, mut sent) = (last, last);
        while let Some(events) = state.history.after(seen) {
            let is_rest = events.len() <= PORTION;
            let mut chunks = Vec::new();
            for event in events.take(PORTION) {
                seen = event.number;
                if event.is_of(topics) {
                    sent = seen;
                    chunks.push(event.chunk.content());
                }
            }
            if is_rest {
                let latest = state.history.latest();
                if sent < latest {
                    let position = event::position(&state.history.id(latest));
                    chunks.push(Bytes::from(position));
                }
                let waiting = state.waiting.iter().filter(|event| event.is_of(topics));
                chunks.extend(waiting.map(|event| event.chunk.content()));
                sender.send_all(chunks);
                return (state, latest.max(seen));
            }
            drop(state);
            sender.send_all(chunks);
            state = self.lock();
        }
        // Between two portions, the history has lost what comes next.
        let latest = state.history.latest();
        sender.send(Bytes::from(event::reset(&state.history.id(latest))));
        (state, latest)
    }
}
