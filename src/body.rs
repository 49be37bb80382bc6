//! Response content on its way to hyper: whole, or streamed with backpressure.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    io::Write,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use crate::{
    config::{FIRST_STREAM_WINDOW, LAST_CHUNK_DELAY, STREAM_WINDOW},
    exchange::Observation,
};

/// Chunks below this size are gathered into one frame when hyper is slower than their source.
const GATHER_BELOW: usize = 4 * 1024;

/// How large a gathered frame may become: no more memory is moved while it grows.
const GATHER_UP_TO: usize = 16 * 1024;

/// How much memory for the next small chunks a stream keeps while it waits for them.
const KEEP: usize = 1024;

/// Why a streamed response ended early. hyper answers it by closing the connection without a final
/// chunk, so that the client sees the response incomplete.
#[derive(Debug, thiserror::Error)]
#[error("the response stream failed")]
pub(crate) struct StreamFailed;

pub(crate) enum ResponseBody {
    Full(Bytes),
    Stream(StreamBody),
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = StreamFailed;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamFailed>>> {
        match self.get_mut() {
            Self::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Stream(stream) => stream.poll_chunk(context).map(|chunk| match chunk {
                Some(Ok(chunk)) => Some(Ok(Frame::data(chunk))),
                Some(Err(error)) => Some(Err(error)),
                None => None,
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(bytes) => bytes.is_empty(),
            Self::Stream(stream) => stream.held.is_none() && stream.shared.lock().is_drained(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

/// The producing side of a streamed response. Dropped before [`BodySender::end`], it fails the
/// response.
pub struct BodySender {
    shared: Arc<Shared>,
}

/// hyper's side of a streamed response.
pub(crate) struct StreamBody {
    shared: Arc<Shared>,
    /// What `Content-Length` still promises; hyper drops the body once it is fulfilled.
    promised: Option<u64>,
    held: Option<Held>,
}

/// The chunk that would fulfil `Content-Length`, kept back until the source has ended: where it has
/// more to say, the response must not look complete.
struct Held {
    chunk: Bytes,
    /// A source that says nothing more does not keep its client waiting.
    patience: Pin<Box<Sleep>>,
}

/// The connection's socket, for what hyper would only pass through.
pub(crate) trait Passage: Send + Sync {
    /// Writes `slices` past hyper, where nothing waits to be written before them.
    fn write(&self, slices: [&[u8]; 3]) -> Passed;
}

/// What became of bytes written past hyper.
#[derive(PartialEq)]
pub(crate) enum Passed {
    /// The socket has them all.
    Whole,
    /// The socket has not room for all of them: the rest goes out when the connection is polled.
    Partly,
    /// None: they have to go through hyper.
    Not,
}

struct Shared {
    state: Mutex<State>,
    observation: Option<Observation>,
}

#[derive(Default)]
struct State {
    chunks: VecDeque<Bytes>,
    /// Small chunks, gathered; always later than `chunks`.
    tail: BytesMut,
    end: Option<End>,
    /// Bytes that hyper took and the observer has not heard of.
    unreported: usize,
    /// How many of them are reported at a time: half the window. Often enough that a source never
    /// waits without need, and never for a stream that sends less.
    step: usize,
    waker: Option<Waker>,
    /// The way past hyper, where the content is chunked.
    passage: Option<Arc<dyn Passage>>,
    /// hyper's side is gone: what is sent now goes nowhere.
    closed: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    Complete,
    Failed,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        if !state.closed {
            change(&mut state);
        }
    }

    fn wake(&self) {
        let waker = self.lock().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Tells the observer of `bytes` taken.
    fn report(&self, bytes: usize) {
        if let (true, Some(Observation { observer, token })) = (bytes > 0, &self.observation) {
            observer.consumed(*token, bytes);
        }
    }
}

impl State {
    fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.tail.is_empty()
    }

    fn is_drained(&self) -> bool {
        self.end == Some(End::Complete) && self.is_empty()
    }

    /// Closes the gathered chunk: the next begins another.
    fn push_tail(&mut self) {
        if !self.tail.is_empty() {
            let tail = std::mem::take(&mut self.tail);
            self.chunks.push_back(tail.freeze());
        }
    }

    fn pop(&mut self) -> Option<Bytes> {
        self.chunks
            .pop_front()
            .or_else(|| (!self.tail.is_empty()).then(|| self.tail.split().freeze()))
    }

    /// `bytes` more were taken. How many the observer is now to hear of, or 0.
    fn took(&mut self, bytes: usize) -> usize {
        self.unreported += bytes;
        if self.unreported < self.step {
            return 0;
        }
        self.step = (2 * self.step).min(STREAM_WINDOW / 2);
        std::mem::take(&mut self.unreported)
    }

    /// Sends small chunks as one chunk (RFC 9112, 7.1) past hyper, which waits for them: it would
    /// only frame them, at the cost of a turn of the connection's task.
    fn pass(&mut self) -> Passed {
        let Some(passage) = &self.passage else {
            return Passed::Not;
        };
        if !self.chunks.is_empty() || self.tail.is_empty() || self.waker.is_none() {
            return Passed::Not;
        }
        let mut size = [0; 8];
        let size = chunk_size(self.tail.len(), &mut size);
        let passed = passage.write([size, &self.tail, b"\r\n"]);
        if passed != Passed::Not {
            if self.tail.capacity() > KEEP {
                self.tail = BytesMut::new();
            } else {
                self.tail.clear();
            }
        }
        passed
    }
}

/// The line that a chunk begins with.
fn chunk_size(length: usize, line: &mut [u8; 8]) -> &[u8] {
    let mut left = &mut line[..];
    // At most four digits: GATHER_UP_TO.
    let _ = write!(left, "{length:x}\r\n");
    let unused = left.len();
    &line[..line.len() - unused]
}

pub(crate) fn stream_body(observation: Option<Observation>) -> (BodySender, StreamBody) {
    let state = State {
        step: FIRST_STREAM_WINDOW / 2,
        ..State::default()
    };
    let shared = Arc::new(Shared {
        state: Mutex::new(state),
        observation,
    });
    let body = StreamBody {
        shared: Arc::clone(&shared),
        promised: None,
        held: None,
    };
    (BodySender { shared }, body)
}

impl BodySender {
    /// Has everything sent so far delivered.
    pub fn flush(&self) {
        let (waker, report) = {
            let mut state = self.shared.lock();
            let length = state.tail.len();
            match state.pass() {
                Passed::Whole => (None, state.took(length)),
                Passed::Partly => (state.waker.take(), state.took(length)),
                Passed::Not => (state.waker.take(), 0),
            }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        self.shared.report(report);
    }

    /// Sends one chunk, copied, with the next [`flush`](Self::flush); an empty one is nothing (it
    /// would be the last chunk on the wire).
    pub fn send_slice(&self, chunk: &[u8]) {
        if chunk.len() < GATHER_BELOW {
            self.shared.change(|state| {
                if state.tail.len() + chunk.len() > GATHER_UP_TO {
                    state.push_tail();
                }
                state.tail.extend_from_slice(chunk);
            });
        } else {
            self.send(Bytes::copy_from_slice(chunk));
        }
    }

    /// Sends one chunk with the next [`flush`](Self::flush); an empty one is nothing (it would be the
    /// last chunk on the wire).
    pub fn send(&self, chunk: Bytes) {
        if chunk.is_empty() {
            return;
        }
        self.shared.change(|state| {
            state.push_tail();
            state.chunks.push_back(chunk);
        });
    }

    /// Ends the response: it is complete.
    pub fn end(self) {
        self.finish(End::Complete);
    }

    /// Fails the response: the connection is closed without its final chunk or, where the headers
    /// have not left yet, the answer is 500.
    pub fn fail(self) {
        self.finish(End::Failed);
    }

    fn finish(&self, end: End) {
        self.shared.change(|state| {
            if state.end.is_none() {
                state.end = Some(end);
            }
        });
        self.shared.wake();
    }
}

impl Drop for BodySender {
    fn drop(&mut self) {
        self.finish(End::Failed);
    }
}

impl StreamBody {
    /// Waits for the first chunk or the end.
    ///
    /// # Errors
    /// [`StreamFailed`] where the stream has failed.
    pub(crate) async fn started(&self) -> Result<(), StreamFailed> {
        poll_fn(|context| {
            let mut state = self.shared.lock();
            // First: chunks before a failure have not left either.
            if state.end == Some(End::Failed) {
                return Poll::Ready(Err(StreamFailed));
            }
            if !state.is_empty() || state.end == Some(End::Complete) {
                return Poll::Ready(Ok(()));
            }
            state.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Tells the body what `Content-Length` was sent.
    pub(crate) fn promise(&mut self, content_length: u64) {
        self.promised = Some(content_length);
    }

    /// Tells the body that its content is sent in chunks, and the way past hyper.
    pub(crate) fn chunked(&mut self, passage: Arc<dyn Passage>) {
        self.shared.lock().passage = Some(passage);
    }

    fn poll_chunk(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, StreamFailed>>> {
        if self.held.is_some() {
            return self.poll_held(context);
        }
        let (chunk, report, ended) = {
            let mut state = self.shared.lock();
            let Some(chunk) = state.pop() else {
                return match state.end {
                    Some(End::Complete) => Poll::Ready(None),
                    Some(End::Failed) => Poll::Ready(Some(Err(StreamFailed))),
                    None => {
                        state.waker = Some(context.waker().clone());
                        Poll::Pending
                    }
                };
            };
            let report = state.took(chunk.len());
            (chunk, report, state.is_drained())
        };
        self.shared.report(report);
        if let Some(promised) = &mut self.promised {
            let Some(left) = promised.checked_sub(chunk.len() as u64) else {
                // hyper would cut the excess off and call the response complete.
                return Poll::Ready(Some(Err(StreamFailed)));
            };
            if left == 0 && !ended {
                let patience = Box::pin(tokio::time::sleep(LAST_CHUNK_DELAY));
                self.held = Some(Held { chunk, patience });
                return self.poll_held(context);
            }
            *promised = left;
        }
        Poll::Ready(Some(Ok(chunk)))
    }

    fn poll_held(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, StreamFailed>>> {
        let Some(held) = &mut self.held else {
            return Poll::Pending;
        };
        {
            let mut state = self.shared.lock();
            if state.end == Some(End::Failed) || !state.is_empty() {
                return Poll::Ready(Some(Err(StreamFailed)));
            }
            if state.end.is_none() && held.patience.as_mut().poll(context).is_pending() {
                state.waker = Some(context.waker().clone());
                return Poll::Pending;
            }
        }
        self.promised = Some(0);
        Poll::Ready(self.held.take().map(|held| Ok(held.chunk)))
    }
}

impl Drop for StreamBody {
    fn drop(&mut self) {
        let complete = {
            let mut state = self.shared.lock();
            let complete = self.held.is_none()
                && (state.is_drained() || (state.is_empty() && self.promised == Some(0)));
            *state = State {
                closed: true,
                ..State::default()
            };
            complete
        };
        if let Some(Observation { observer, token }) = &self.shared.observation {
            if complete {
                observer.completed(*token);
            } else {
                observer.cancelled(*token);
            }
        }
    }
}
