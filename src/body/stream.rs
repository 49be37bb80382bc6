//! hyper's side of a streamed response.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::time::Sleep;

use super::{
    Abort, BodySender, FileSource, Next, Passage, StreamFailed,
    framing::Framing,
    heartbeat::Heartbeat,
    sender::{End, Shared},
};
use crate::{config::LAST_CHUNK_DELAY, exchange::Observation};

/// How much of a file is read between two reports, in bytes: it is for whoever watches, and no credit.
const REPORT_FILE: usize = 4 * 1024 * 1024;

/// hyper's side of a streamed response.
pub(crate) struct StreamBody {
    pub(super) shared: Arc<Shared>,
    /// What `Content-Length` still promises; hyper drops the body once it is fulfilled.
    promised: Option<u64>,
    held: Option<Held>,
    /// Counts this body while hyper has it.
    pub(super) in_progress: Option<Arc<AtomicUsize>>,
    /// Boxed: few streams are files.
    file: Option<Box<Reading>>,
    heartbeat: Heartbeat,
}

/// A file that the content is read from.
struct Reading {
    source: FileSource,
    /// What was read before hyper asked for it.
    first: Option<Bytes>,
    /// Bytes that were read and the observer has not heard of.
    unreported: usize,
}

/// The chunk that would fulfil `Content-Length`, kept back until the source has ended: where it has
/// more to say, the response must not look complete.
struct Held {
    chunk: Bytes,
    /// A source that says nothing more does not keep its client waiting.
    patience: Pin<Box<Sleep>>,
}

pub(crate) fn stream_body(observation: Option<Observation>) -> (BodySender, StreamBody) {
    let shared = Arc::new(Shared::new(observation));
    let body = StreamBody::new(Arc::clone(&shared));
    (BodySender { shared }, body)
}

impl StreamBody {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            promised: None,
            held: None,
            in_progress: None,
            file: None,
            heartbeat: Heartbeat::default(),
        }
    }

    /// Whether all of a complete response has been taken.
    pub(super) fn is_drained(&self) -> bool {
        self.held.is_none() && self.shared.lock().is_drained()
    }

    /// Waits for the first chunk or the end.
    ///
    /// # Errors
    /// [`StreamFailed`] where the stream has failed.
    pub(crate) async fn started(&mut self) -> Result<(), StreamFailed> {
        poll_fn(|context| {
            let file = {
                let mut state = self.shared.lock();
                // First: chunks before a failure have not left either.
                if state.end == Some(End::Failed) {
                    return Poll::Ready(Err(StreamFailed));
                }
                if !state.is_empty() || state.end == Some(End::Complete) {
                    return Poll::Ready(Ok(()));
                }
                state.waker = Some(context.waker().clone());
                state.file.take()
            };
            if let Some(source) = file {
                self.read(source);
            }
            if self.file.is_none() {
                return Poll::Pending;
            }
            let first = ready!(self.poll_file(context))?;
            let length = first.as_ref().map_or(0, |first| first.len() as u64);
            if self.promised.is_some_and(|promised| promised < length) {
                return Poll::Ready(Err(self.excess()));
            }
            if let (Some(file), Some(first)) = (&mut self.file, first) {
                file.first = Some(first);
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Whether the stream has failed already: what came of it before has not left either.
    pub(crate) fn has_failed(&self) -> bool {
        self.shared.lock().end == Some(End::Failed)
    }

    /// Has `number` count this body for as long as hyper has it.
    pub(crate) fn count(&mut self, number: Arc<AtomicUsize>) {
        number.fetch_add(1, Ordering::Relaxed);
        self.in_progress = Some(number);
    }

    /// Tells the body what `Content-Length` was sent.
    pub(crate) fn promise(&mut self, content_length: u64) {
        self.promised = Some(content_length);
    }

    /// Tells the body how its end is known, and the way past hyper.
    pub(crate) fn framed(&mut self, framing: Framing, passage: Arc<dyn Passage>) {
        self.shared.lock().passage = Some((passage, framing));
    }

    /// Tells the body that its connection has nothing to do but to send its chunks, and what comes then.
    pub(crate) fn followed_by(&self, next: Next) {
        self.shared.lock().next = Some(next);
    }

    pub(super) fn abort_with(&self, abort: Arc<dyn Abort>) {
        self.shared.lock().abort = Some(abort);
    }

    /// The next chunk; `None` after the last.
    pub(crate) fn poll_chunk(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, StreamFailed>>> {
        if self.held.is_some() {
            return self.poll_held(context);
        }
        let chunk = match self.poll_next(context)? {
            Poll::Ready(Some(chunk)) => chunk,
            Poll::Ready(None) => return Poll::Ready(None),
            // Over HTTP/1 hyper asks for no more. Over HTTP/2 it would wait for the end of a source that says nothing.
            Poll::Pending if self.promised == Some(0) => return Poll::Ready(None),
            Poll::Pending => return Poll::Pending,
        };
        if let Some(promised) = &mut self.promised {
            let Some(left) = promised.checked_sub(chunk.len() as u64) else {
                // hyper would cut the excess off and call the response complete.
                return Poll::Ready(Some(Err(self.excess())));
            };
            if left == 0 && !self.shared.lock().is_drained() {
                let patience = Box::pin(tokio::time::sleep(LAST_CHUNK_DELAY));
                self.held = Some(Held { chunk, patience });
                return self.poll_held(context);
            }
            *promised = left;
        }
        Poll::Ready(Some(Ok(chunk)))
    }

    /// The next chunk, wherever it comes from; `None` after the last.
    fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, StreamFailed>> {
        let (chunk, report, file) = {
            let mut state = self.shared.lock();
            if let Some(placeholder) = state.pop_placeholder() {
                return Poll::Ready(Ok(Some(placeholder)));
            }
            let file = state.file.take();
            if file.is_some() {
                state.next = None;
            }
            let chunk = state.pop();
            if chunk.is_none() {
                match state.end {
                    Some(End::Complete) => return Poll::Ready(Ok(None)),
                    Some(End::Failed) => return Poll::Ready(Err(StreamFailed)),
                    None => {
                        if let Poll::Ready(comment) = self.heartbeat.poll(&mut state, context) {
                            return Poll::Ready(Ok(Some(comment)));
                        }
                        state.waker = Some(context.waker().clone());
                        self.offer_rest(&state);
                    }
                }
            } else {
                state.sending();
            }
            let report = chunk.as_ref().map_or(0, |chunk| state.took(chunk.len()));
            (chunk, report, file)
        };
        self.shared.report(report);
        if let Some(source) = file {
            self.read(source);
        }
        match chunk {
            Some(chunk) => Poll::Ready(Ok(Some(chunk))),
            None if self.file.is_some() => self.poll_file(context),
            None => Poll::Pending,
        }
    }

    fn read(&mut self, source: FileSource) {
        self.file = Some(Box::new(Reading {
            source,
            first: None,
            unreported: 0,
        }));
    }

    /// The next chunk of the file; `None` at its end, which is the response's.
    fn poll_file(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, StreamFailed>> {
        let Some(file) = &mut self.file else {
            return Poll::Pending;
        };
        if let Some(first) = file.first.take() {
            return Poll::Ready(Ok(Some(first)));
        }
        let passage = self.shared.lock().passage.clone();
        let passage = passage.as_ref().map(|(passage, _)| &**passage);
        let passage = passage.filter(|passage| passage.sends_files());
        let chunk = match ready!(file.source.poll_next(passage, context)) {
            Ok(chunk) => chunk,
            Err(error) => return Poll::Ready(Err(self.fail(error.raw_os_error()))),
        };
        file.unreported += chunk.len();
        if file.unreported >= REPORT_FILE || chunk.is_empty() {
            self.shared.report(std::mem::take(&mut file.unreported));
        }
        if !chunk.is_empty() {
            return Poll::Ready(Ok(Some(chunk)));
        }
        self.file = None;
        let held = self.held.as_ref().map_or(0, |held| held.chunk.len() as u64);
        if self.promised.is_some_and(|promised| promised > held) {
            return Poll::Ready(Err(self.fail(None)));
        }
        self.shared.lock().end = Some(End::Complete);
        Poll::Ready(Ok(None))
    }

    /// The source has more than `Content-Length` promises.
    fn excess(&mut self) -> StreamFailed {
        match &mut self.file {
            Some(file) => {
                self.shared.report(std::mem::take(&mut file.unreported));
                self.fail(None)
            }
            // Whoever sends the chunks knows.
            None => StreamFailed,
        }
    }

    /// The file cannot be read or, without `errno`, is not of the promised length.
    fn fail(&mut self, errno: Option<i32>) -> StreamFailed {
        self.file = None;
        self.shared.lock().end = Some(End::Failed);
        if let Some(Observation { observer, token }) = &self.shared.observation {
            observer.file_failed(*token, errno);
        }
        StreamFailed
    }

    fn poll_held(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, StreamFailed>>> {
        if self.file.is_some() && ready!(self.poll_file(context))?.is_some() {
            return Poll::Ready(Some(Err(self.excess())));
        }
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
        if let Some(number) = &self.in_progress {
            number.fetch_sub(1, Ordering::Relaxed);
        }
        let failure = self.file.as_ref().and_then(|file| file.source.failure());
        let complete = {
            let mut state = self.shared.lock();
            if std::mem::take(&mut state.is_taken_over) {
                return;
            }
            let complete = self.held.is_none()
                && (state.is_drained() || (state.is_empty() && self.promised == Some(0)));
            state.close();
            complete
        };
        if let Some(Observation { observer, token }) = &self.shared.observation {
            if failure.is_some() {
                observer.file_failed(*token, failure);
            } else if complete {
                observer.completed(*token);
            } else {
                observer.cancelled(*token);
            }
        }
    }
}
