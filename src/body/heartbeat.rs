//! Comments between events that are long in coming: a connection that says nothing looks dead to proxies
//! and clients, and who has left is noticed only where something is sent.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep};

use super::{BodySender, sender::State};

/// A comment without text (HTML standard, 9.2.5): no client sees an event.
const COMMENT: &[u8] = b":\n\n";

/// When the next comment may be due. Looked after then: an event costs no call of the timer.
#[derive(Default)]
pub(super) struct Heartbeat(Option<Pin<Box<Sleep>>>);

impl BodySender {
    /// Has a comment sent wherever no chunk is for so long. Every chunk has to be whole events.
    pub(crate) fn set_heartbeat(&self, period: Duration) {
        self.shared.lock().heartbeat = Some(period);
    }
}

impl Heartbeat {
    /// The comment that is due, where there is a heartbeat.
    pub(super) fn poll(&mut self, state: &mut State, context: &mut Context<'_>) -> Poll<Bytes> {
        let Some(period) = state.heartbeat else {
            return Poll::Pending;
        };
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep(period)));
        loop {
            ready!(timer.as_mut().poll(context));
            let now = Instant::now();
            let due = state.last_sent().map_or(now, |sent| sent + period);
            if due > now {
                timer.as_mut().reset(due);
                continue;
            }
            state.last_sent = Some(now);
            timer.as_mut().reset(now + period);
            return Poll::Ready(Bytes::from_static(COMMENT));
        }
    }
}
