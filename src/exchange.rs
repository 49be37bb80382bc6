//! One request/response pair: answered once, cancelled when the client leaves.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;

use crate::{
    body::{BodySender, Passed, ResponseBody, StreamBody, stream_body},
    field_lines::FieldLines,
    load::HeldBody,
};

/// A whole response.
#[derive(Debug)]
pub struct Response<B = Bytes> {
    /// The status code.
    pub status: StatusCode,
    /// The header fields. `Content-Length` and `Date` are added where they are missing.
    pub fields: FieldLines,
    /// The content.
    pub body: B,
}

impl Response {
    /// 200 with `text` as `text/plain`.
    pub fn text(text: impl Into<Bytes>) -> Self {
        Self {
            status: StatusCode::OK,
            fields: FieldLines::new(Some("text/plain; charset=utf-8"), &[]),
            body: text.into(),
        }
    }
}

/// The status line and header fields of a response whose content follows.
#[derive(Debug)]
pub struct Head {
    /// The status code.
    pub status: StatusCode,
    /// The header fields; without `Content-Length` the content is chunked.
    pub headers: HeaderMap,
    /// It is sent with the first of the content, however long that takes to come: until then it can be another.
    pub awaits_content: bool,
}

impl Head {
    /// A head of these fields, or 500 without any where they are none.
    pub(crate) fn new(status: StatusCode, fields: &FieldLines) -> Self {
        match fields.to_map() {
            Some(headers) => Self {
                status,
                headers,
                awaits_content: false,
            },
            None => Self {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                headers: HeaderMap::new(),
                awaits_content: false,
            },
        }
    }
}

/// Hears what becomes of an exchange after it was handed over. Called on the I/O thread, or by whoever answers;
/// must not block.
pub trait Observer: Send + Sync {
    /// The client left before the response was complete.
    fn cancelled(&self, token: u64);
    /// hyper took `bytes` of a streamed response: there is room for as many.
    fn consumed(&self, token: u64, bytes: usize);
    /// The socket has taken what it had no room for when it was written directly.
    fn drained(&self, token: u64);
    /// The file of a streamed response could not be read or, without `errno`, is not as long as
    /// `Content-Length` says: the response is incomplete. Nothing more is told.
    fn file_failed(&self, token: u64, errno: Option<i32>);
    /// A streamed response was taken by hyper to its end.
    fn completed(&self, token: u64);
}

pub(crate) struct Observation {
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) token: u64,
}

/// The answering side of a request/response pair.
pub struct Exchange {
    shared: Arc<Shared>,
}

/// The connection's side of a request/response pair: resolves to the answer, or to `None` where the
/// [`Exchange`] was dropped unanswered.
pub(crate) struct Reply {
    shared: Arc<Shared>,
}

/// The way of an answer to the socket past the task that waits for it.
pub(crate) trait Shortcut: Send + Sync {
    /// Writes it where the connection waits for it, and for nothing else.
    fn answer(&self, response: &Response<&[u8]>) -> Passed;
}

pub(crate) enum Answer {
    Full(Response),
    Stream(Head, StreamBody),
}

struct Shared {
    state: Mutex<State>,
    /// The answer was written to the socket, and nothing is left to be done.
    is_sent: AtomicBool,
}

#[derive(Default)]
struct State {
    phase: Phase,
    waker: Option<Waker>,
    observation: Option<Observation>,
    shortcut: Option<Arc<dyn Shortcut>>,
    /// What the request's body is counted for, until the answer.
    held: Option<HeldBody>,
}

#[derive(Default)]
enum Phase {
    #[default]
    Pending,
    Answered(Answer),
    /// The exchange was dropped unanswered.
    Abandoned,
    /// The answer was taken, or nobody waits for it any more.
    Closed,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_sent(&self) -> bool {
        self.is_sent.load(Ordering::Acquire)
    }

    fn settle(&self, phase: Phase) {
        let waker = {
            let mut state = self.lock();
            if !matches!(state.phase, Phase::Pending) {
                return;
            }
            state.phase = phase;
            state.held = None;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Both sides of a request/response pair, whose request has a body that is `held`.
pub(crate) fn exchange(held: Option<HeldBody>) -> (Exchange, Reply) {
    let shared = Arc::new(Shared {
        state: Mutex::new(State {
            held,
            ..State::default()
        }),
        is_sent: AtomicBool::new(false),
    });
    (
        Exchange {
            shared: Arc::clone(&shared),
        },
        Reply { shared },
    )
}

impl Exchange {
    /// An exchange without a connection, and what it is answered with, or `None` where that stays
    /// incomplete: how the fuzz targets see an answer.
    #[doc(hidden)]
    pub fn detached() -> (Self, impl Future<Output = Option<(Head, Bytes)>>) {
        let (exchange, reply) = exchange(None);
        let answered = async {
            match reply.await? {
                Answer::Full(Response {
                    status,
                    fields,
                    body,
                }) => Some((Head::new(status, &fields), body)),
                Answer::Stream(head, body) => {
                    let body = ResponseBody::Stream(body).collect().await.ok()?;
                    Some((head, body.to_bytes()))
                }
            }
        };
        (exchange, answered)
    }

    /// Asks for `observer` to be told, with `token`, what becomes of this exchange.
    pub fn observe(&self, observer: Arc<dyn Observer>, token: u64) {
        self.shared.lock().observation = Some(Observation { observer, token });
    }

    /// Answers with a whole response.
    pub fn respond(self, response: Response) {
        self.shared.settle(Phase::Answered(Answer::Full(response)));
    }

    /// Answers with a whole response and writes it to the socket at once, from any thread, where the connection
    /// waits for nothing else; gives the exchange back where it does.
    pub(crate) fn respond_now(self, response: &Response<&[u8]>) -> Result<(), Self> {
        let waker = {
            let mut state = self.shared.lock();
            let passed = match (&state.phase, &state.shortcut) {
                (Phase::Pending, Some(shortcut)) => shortcut.answer(response),
                _ => Passed::Not,
            };
            if passed == Passed::Not {
                drop(state);
                return Err(self);
            }
            state.phase = Phase::Closed;
            state.held = None;
            self.shared.is_sent.store(true, Ordering::Release);
            // What the socket had no room for is for the task to write.
            state.waker.take_if(|_| passed == Passed::Partly)
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// Answers with a head whose content is sent through what is returned.
    pub fn stream(self, head: Head) -> BodySender {
        let observation = self.shared.lock().observation.take();
        let (sender, body) = stream_body(observation);
        self.shared
            .settle(Phase::Answered(Answer::Stream(head, body)));
        sender
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.shared.is_sent() {
            return;
        }
        self.shared.settle(Phase::Abandoned);
    }
}

impl Reply {
    /// Offers whoever answers a shorter way than through this.
    pub(crate) fn offer(&self, shortcut: &Arc<dyn Shortcut>) {
        self.shared.lock().shortcut = Some(Arc::clone(shortcut));
    }
}

impl Future for Reply {
    type Output = Option<Answer>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.shared.lock();
        if matches!(state.phase, Phase::Pending) {
            match &mut state.waker {
                Some(waker) => waker.clone_from(context.waker()),
                none => *none = Some(context.waker().clone()),
            }
            return Poll::Pending;
        }
        match std::mem::replace(&mut state.phase, Phase::Closed) {
            Phase::Answered(answer) => Poll::Ready(Some(answer)),
            _ => Poll::Ready(None),
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if self.shared.is_sent() {
            return;
        }
        let (phase, observation, _shortcut) = {
            let mut state = self.shared.lock();
            let phase = std::mem::replace(&mut state.phase, Phase::Closed);
            state.held = None;
            // Kept by a handler that does not answer, it would keep the socket open.
            (phase, state.observation.take(), state.shortcut.take())
        };
        // Outside the lock: an untaken stream tells its own observer as it is dropped here.
        let unanswered = matches!(phase, Phase::Pending | Phase::Answered(Answer::Full(_)));
        if let (true, Some(Observation { observer, token })) = (unanswered, observation) {
            observer.cancelled(token);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Load;

    /// The socket has taken all of it.
    struct Whole;

    impl Shortcut for Whole {
        fn answer(&self, _: &Response<&[u8]>) -> Passed {
            Passed::Whole
        }
    }

    /// As many bytes as there may be are held for the request.
    const MOST: usize = 7;

    fn exchange_of(load: &Load) -> (Exchange, Reply) {
        let mut held = load.body();
        assert!(held.grow(MOST, MOST));
        exchange(Some(held))
    }

    fn response() -> Response<&'static [u8]> {
        Response {
            status: StatusCode::OK,
            fields: FieldLines::default(),
            body: &[],
        }
    }

    #[test]
    fn a_body_is_held_until_the_answer_and_not_until_the_task_hears_of_it() {
        let load = Load::default();
        let (exchange, reply) = exchange_of(&load);
        reply.offer(&(Arc::new(Whole) as Arc<dyn Shortcut>));
        assert!(!load.body().grow(1, MOST));
        assert!(exchange.respond_now(&response()).is_ok());
        assert!(load.body().grow(MOST, MOST));
        drop(reply);
    }

    #[test]
    fn a_body_is_held_until_an_answer_that_takes_the_task() {
        let load = Load::default();
        let (exchange, reply) = exchange_of(&load);
        exchange.respond(Response::text("an answer"));
        assert!(load.body().grow(MOST, MOST));
        drop(reply);
    }

    #[test]
    fn a_body_is_not_held_for_who_has_left() {
        let load = Load::default();
        let (exchange, reply) = exchange_of(&load);
        drop(reply);
        assert!(load.body().grow(MOST, MOST));
        drop(exchange);
    }
}
