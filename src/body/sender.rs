//! The producing side of a streamed response, and what it shares with hyper's.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;
use tokio::time::Instant;

use super::{
    Abort, Drained, FileSource, Passage, Passed,
    framing::{CHUNK_END, CHUNK_SIZE, Framing, chunk_size},
    placeholder,
    rest::Next,
    shared_chunk::PIECE,
};
use crate::{
    config::{FIRST_STREAM_WINDOW, STREAM_WINDOW},
    exchange::Observation,
};

/// Chunks below this size are gathered into one frame when hyper is slower than their source.
const GATHER_BELOW: usize = 4 * 1024;

/// How large a gathered frame may become: no more memory is moved while it grows.
const GATHER_UP_TO: usize = 16 * 1024;

/// How long a chunk is framed without memory of its own, in bytes.
const FRAMED: usize = 512;

/// The producing side of a streamed response. Dropped before [`BodySender::end`], it fails the
/// response.
pub struct BodySender {
    pub(super) shared: Arc<Shared>,
}

impl BodySender {
    /// Sends one chunk, copied; an empty one is nothing (it would be the last chunk on the wire).
    pub fn send_slice(&self, chunk: &[u8]) {
        self.send_slices([chunk].into_iter());
    }

    /// Sends chunks that have come together, copied: small ones leave as one.
    pub(crate) fn send_slices<'a>(&self, chunks: impl Iterator<Item = &'a [u8]> + Clone) {
        let length = chunks.clone().map(<[u8]>::len).sum();
        if length == 0 {
            return;
        }
        let (waker, report) = {
            let mut state = self.shared.lock();
            if state.closed {
                return;
            }
            state.sent += length as u64;
            match state.pass(length, chunks.clone()) {
                Passed::Whole => (None, state.took(length)),
                Passed::Partly => (state.waker.take(), state.took(length)),
                Passed::Not => {
                    chunks.for_each(|chunk| state.gather(chunk));
                    (state.waker.take(), 0)
                }
            }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        self.shared.report(report);
    }

    /// Sends one chunk; an empty one is nothing (it would be the last chunk on the wire).
    pub fn send(&self, chunk: Bytes) {
        if chunk.is_empty() {
            return;
        }
        self.send_all([chunk]);
    }

    /// Sends chunks that follow each other, none of them empty.
    pub(crate) fn send_all(&self, chunks: impl IntoIterator<Item = Bytes>) {
        self.shared.change(|state| {
            for chunk in chunks {
                state.sent += chunk.len() as u64;
                state.count_ahead(chunk.len());
                state.push(chunk);
            }
        });
        self.shared.wake();
    }

    /// Ends the response with a file's content. A file that cannot be read, or is not as long as
    /// `Content-Length` says, fails it: [`Observer::file_failed`](crate::Observer::file_failed).
    pub fn send_file(&self, file: FileSource) {
        self.shared.change(|state| state.file = Some(file));
        self.shared.wake();
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

pub(super) struct Shared {
    state: Mutex<State>,
    pub(super) observation: Option<Observation>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) chunks: VecDeque<Bytes>,
    /// How many bytes of shared chunks wait.
    pub(super) queued: usize,
    /// How many bytes wait before them, where there is a subscription: what it missed.
    pub(super) ahead: usize,
    /// The first of `chunks` is the rest of one of which a piece was taken.
    pub(super) is_begun: bool,
    /// Small chunks, gathered; always later than `chunks`.
    tail: BytesMut,
    pub(super) end: Option<End>,
    /// A file, which follows what was sent before it.
    pub(super) file: Option<FileSource>,
    /// Bytes that hyper took and the observer has not heard of.
    unreported: usize,
    /// Bytes that were sent, whether hyper has taken them or not.
    pub(super) sent: u64,
    /// How many of them are reported at a time: half the window. Often enough that a source never
    /// waits without need, and never for a stream that sends less.
    pub(super) step: usize,
    pub(super) waker: Option<Waker>,
    /// The way past hyper.
    pub(super) passage: Option<(Arc<dyn Passage>, Framing)>,
    /// Bytes that were written past hyper, which counts what it writes and has not counted them.
    pub(super) uncounted: u64,
    /// hyper's side is gone: what is sent now goes nowhere.
    pub(super) closed: bool,
    /// A channel sends it its events.
    pub(super) is_subscribed: bool,
    /// What its connection has to do after it, where before it has only to send its chunks.
    pub(super) next: Option<Next>,
    /// Another [`StreamBody`](super::StreamBody) goes on where this one is dropped.
    pub(super) is_taken_over: bool,
    /// After how long without a chunk a comment is sent, of events.
    pub(super) heartbeat: Option<Duration>,
    /// When a chunk was sent last, where there is a heartbeat.
    pub(super) last_sent: Option<Instant>,
    /// What ends the response where its client takes nothing, and there is no passage.
    pub(super) abort: Option<Arc<dyn Abort>>,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum End {
    Complete,
    Failed,
}

impl Shared {
    pub(super) fn new(observation: Option<Observation>) -> Self {
        let state = State {
            step: FIRST_STREAM_WINDOW / 2,
            ..State::default()
        };
        Self {
            state: Mutex::new(state),
            observation,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        if !state.closed {
            change(&mut state);
        }
    }

    pub(super) fn wake(&self) {
        let waker = self.lock().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Tells the observer of `bytes` taken.
    pub(super) fn report(&self, bytes: usize) {
        if let (true, Some(Observation { observer, token })) = (bytes > 0, &self.observation) {
            observer.consumed(*token, bytes);
        }
    }
}

impl Drained for Shared {
    fn drained(&self) {
        if let Some(Observation { observer, token }) = &self.observation {
            observer.drained(*token);
        }
    }
}

impl State {
    /// hyper wants no more: nothing that is left, or comes, goes anywhere.
    pub(super) fn close(&mut self) {
        *self = Self {
            closed: true,
            ..Self::default()
        };
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.tail.is_empty()
    }

    /// Whether what follows is chunks, and all its connection has to do.
    pub(super) fn has_only_chunks(&self) -> bool {
        self.is_subscribed || self.next.is_some()
    }

    pub(super) fn is_drained(&self) -> bool {
        self.end == Some(End::Complete) && self.is_empty() && self.uncounted == 0
    }

    /// Something is sent: the heartbeat need not be.
    pub(super) fn sending(&mut self) {
        if self.heartbeat.is_some() {
            self.last_sent = Some(Instant::now());
        }
    }

    /// When something was sent last, where there is a heartbeat.
    pub(super) fn last_sent(&self) -> Option<Instant> {
        let passed = self.passage.as_ref();
        let passed = passed.and_then(|(passage, _)| passage.last_event());
        self.last_sent.max(passed)
    }

    /// Closes the gathered chunk: the next begins another.
    fn push_tail(&mut self) {
        if !self.tail.is_empty() {
            let tail = std::mem::take(&mut self.tail);
            self.chunks.push_back(tail.freeze());
        }
    }

    /// What stands for bytes that hyper has only to count.
    pub(super) fn pop_placeholder(&mut self) -> Option<Bytes> {
        if self.uncounted == 0 {
            return None;
        }
        let placeholder = placeholder::written(self.uncounted);
        self.uncounted -= placeholder.len() as u64;
        Some(placeholder)
    }

    pub(super) fn pop(&mut self) -> Option<Bytes> {
        let Some(mut chunk) = self.chunks.pop_front() else {
            return (!self.tail.is_empty()).then(|| self.tail.split().freeze());
        };
        if !std::mem::take(&mut self.is_begun) {
            let ahead = chunk.len().min(self.ahead);
            self.ahead -= ahead;
            self.queued = self.queued.saturating_sub(chunk.len() - ahead);
        }
        // A connection copies what it is given of a chunk that is one for all; and what hyper has been
        // given counts as taken by the client: with all of a large one, its source would make another.
        let most = if self.is_subscribed {
            PIECE
        } else {
            STREAM_WINDOW
        };
        if chunk.len() > most {
            self.chunks.push_front(chunk.split_off(most));
            self.is_begun = true;
        }
        Some(chunk)
    }

    /// `bytes` more were taken. How many the observer is now to hear of, or 0.
    pub(super) fn took(&mut self, bytes: usize) -> usize {
        self.unreported += bytes;
        if self.unreported < self.step {
            return 0;
        }
        self.step = (2 * self.step).min(STREAM_WINDOW / 2);
        std::mem::take(&mut self.unreported)
    }

    /// Sends small chunks, of `length` bytes, as one chunk (RFC 9112, 7.1) past hyper, which waits for
    /// them: it would only frame them, at the cost of a turn of the connection's task.
    fn pass<'a>(&mut self, length: usize, chunks: impl Iterator<Item = &'a [u8]>) -> Passed {
        let Some((passage, Framing::Chunked)) = &self.passage else {
            return Passed::Not;
        };
        let is_small = (1..=GATHER_UP_TO).contains(&length);
        if !is_small || !self.is_empty() || self.waker.is_none() || self.end.is_some() {
            return Passed::Not;
        }
        let mut size = [0; CHUNK_SIZE];
        let mut framed = SmallVec::<[u8; FRAMED]>::from_slice(chunk_size(length, &mut size));
        for chunk in chunks {
            framed.extend_from_slice(chunk);
        }
        framed.extend_from_slice(CHUNK_END);
        let passed = passage.write(&framed);
        if passed != Passed::Not {
            self.sending();
        }
        passed
    }

    /// Keeps a chunk for hyper, a small one with others.
    fn gather(&mut self, chunk: &[u8]) {
        if chunk.len() >= GATHER_BELOW {
            self.push(Bytes::copy_from_slice(chunk));
            return;
        }
        if self.tail.len() + chunk.len() > GATHER_UP_TO {
            self.push_tail();
        }
        self.tail.extend_from_slice(chunk);
    }

    /// Keeps a chunk for hyper.
    pub(super) fn push(&mut self, chunk: Bytes) {
        self.push_tail();
        self.chunks.push_back(chunk);
    }
}
