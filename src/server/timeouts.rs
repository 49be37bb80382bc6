//! How long a connection may wait for one thing.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::{
    Config,
    config::{LINGER, PARK_AFTER},
};

/// A timer is as exact as this.
const TICK: Duration = Duration::from_millis(1);

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum WaitsFor {
    /// The next request, nothing of which has come: until [`PARK_AFTER`], when there is memory to let go of.
    Request,
    /// The same, with nothing to let go of (any more).
    ParkedRequest,
    /// The answer to our farewell, nothing of which has come; requests may have crossed it.
    Farewell,
    /// The rest of a request's head.
    Head,
    /// A handler's answer, which may leave without the connection's task: it is to look whether it has.
    Answer,
    /// The server: a body being read, a handler, a stream. Who waits here has limits of his own.
    Server,
    /// A client that does not take what is sent, of which it has taken so many bytes.
    Client(u64),
}

impl WaitsFor {
    /// Whether who has waited for this long enough is to go on with less, and not to end.
    pub(super) fn is_to_park(self, config: &Config) -> bool {
        let is_last = config
            .keep_alive_timeout
            .is_some_and(|limit| limit <= PARK_AFTER);
        self == Self::Request && !is_last
    }
}

/// One timer for all limits: a request that is answered before any limit costs no call of it.
pub(super) struct Timeouts {
    waits_for: WaitsFor,
    since: Instant,
    /// Set for the earliest limit that was in force since it last fired; looked after then.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Timeouts {
    pub(super) fn new() -> Self {
        Self {
            waits_for: WaitsFor::Server,
            since: Instant::now(),
            timer: None,
        }
    }

    /// A request has come, and may have been answered already: what the connection waits for from now on, it has
    /// not waited for before.
    pub(super) fn restart(&mut self) {
        self.waits_for = WaitsFor::Server;
    }

    /// Tells what the connection waits for; resolves when it has for too long.
    pub(super) fn poll(
        &mut self,
        waits_for: WaitsFor,
        config: &Config,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        if waits_for == WaitsFor::Answer {
            self.look_again(idle_limit(config), context);
            return Poll::Pending;
        }
        let limit = limit_of(waits_for, config);
        if self.waits_for != waits_for {
            let goes_on =
                self.waits_for == WaitsFor::Request && waits_for == WaitsFor::ParkedRequest;
            self.waits_for = waits_for;
            if limit.is_some() && !goes_on {
                self.since = Instant::now();
            }
        }
        // Beyond the end of time is never.
        let deadline = limit.and_then(|limit| self.since.checked_add(limit));
        let Some(deadline) = deadline else {
            return Poll::Pending;
        };
        let (timer, mut is_new) = match &mut self.timer {
            Some(timer) => (timer, false),
            none => (none.insert(Box::pin(sleep_until(deadline))), true),
        };
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
            is_new = true;
        }
        // The connection's waker stays the same: a timer that has it needs to be asked only when it is
        // over.
        if !is_new && !timer.is_elapsed() {
            return Poll::Pending;
        }
        while timer.as_mut().poll(context).is_ready() {
            if timer.deadline() >= deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }

    /// Has the task polled again, to look whether the answer has left, as soon as it would be were it idle.
    fn look_again(&mut self, after: Duration, context: &mut Context<'_>) {
        let before = std::mem::replace(&mut self.waits_for, WaitsFor::Answer);
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + after)));
        let is_over = timer.is_elapsed();
        // Who has waited for a request has set it early enough.
        if !is_over && matches!(before, WaitsFor::Request | WaitsFor::Answer) {
            return;
        }
        let next = Instant::now() + after;
        if is_over || timer.deadline() > next {
            timer.as_mut().reset(next);
        }
        // This only tells it of the task; where it is over by now, it would not tell the task.
        while timer.as_mut().poll(context).is_ready() {
            timer.as_mut().reset(Instant::now() + after.max(TICK));
        }
    }
}

fn limit_of(waits_for: WaitsFor, config: &Config) -> Option<Duration> {
    match waits_for {
        WaitsFor::Request => Some(idle_limit(config)),
        WaitsFor::ParkedRequest => config.keep_alive_timeout,
        WaitsFor::Farewell => Some(LINGER),
        WaitsFor::Head => config.headers_timeout,
        WaitsFor::Client(_) => config.write_timeout,
        WaitsFor::Answer | WaitsFor::Server => None,
    }
}

fn idle_limit(config: &Config) -> Duration {
    let limit = config.keep_alive_timeout.unwrap_or(PARK_AFTER);
    limit.min(PARK_AFTER)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_looked_for_again_even_where_the_time_for_that_has_just_come() {
        let config = Config {
            keep_alive_timeout: Some(Duration::ZERO),
            ..Config::default()
        };
        let mut timeouts = Timeouts::new();
        let mut looks = 0;
        let looked_again = poll_fn(|context| {
            looks += 1;
            let answer = timeouts.poll(WaitsFor::Answer, &config, context);
            assert!(answer.is_pending());
            if looks > 2 {
                return Poll::Ready(());
            }
            Poll::Pending
        });
        assert!(timeout(LINGER, looked_again).await.is_ok());
    }
}
