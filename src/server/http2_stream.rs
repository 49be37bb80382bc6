//! One stream of an HTTP/2 connection: its content in pieces, and how long a client may leave one.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::rt::Executor;

use super::{
    Shutdown,
    timeouts::{Timeouts, WaitsFor},
};
use crate::{
    body::{Abort, ResponseBody, StreamFailed},
    handler::Handler,
    load::Share,
    service::{ConnectionState, Service},
    task,
};

/// How much content is handed to hyper at a time, in bytes: the size of a frame that every client takes
/// (RFC 9113, 4.2).
const PIECE: usize = 16 * 1024;

/// What a stream waits for, told by its content and heard by its task.
#[derive(Default)]
pub(super) struct Pace {
    /// Odd while a piece waits for the client; one more with each change.
    pieces: AtomicU64,
    /// Of events, which wait for ever: who ends them where their client takes nothing.
    abort: OnceLock<Arc<Aborted>>,
}

/// Whether a stream was aborted, and whose task hears of it.
#[derive(Default)]
struct Aborted(Mutex<(bool, Option<Waker>)>);

impl Aborted {
    fn lock(&self) -> MutexGuard<'_, (bool, Option<Waker>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.0 {
            return Poll::Ready(());
        }
        match &mut state.1 {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}

impl Abort for Aborted {
    fn abort(&self) {
        let waker = {
            let mut state = self.lock();
            state.0 = true;
            state.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Pace {
    fn waits_for(&self) -> WaitsFor {
        match self.pieces.load(Ordering::Relaxed) {
            pieces if pieces % 2 == 1 => WaitsFor::Client(pieces),
            _ => WaitsFor::Server,
        }
    }

    fn handed_over(&self) {
        self.pieces.fetch_or(1, Ordering::Relaxed);
    }

    /// hyper asks for more content only as the client has room for it.
    fn taken(&self) {
        let pieces = self.pieces.load(Ordering::Relaxed);
        self.pieces
            .store(pieces.next_multiple_of(2), Ordering::Relaxed);
    }
}

/// Content of a response, in pieces: of one that is large hyper would keep what the client has no room
/// for out of sight.
pub(super) struct PacedBody {
    body: ResponseBody,
    rest: Bytes,
    /// `None` for events: they may wait as long as they like.
    pace: Option<Arc<Pace>>,
}

impl PacedBody {
    pub(super) fn new(body: ResponseBody, pace: Arc<Pace>, is_events: bool) -> Self {
        if is_events {
            let aborted = pace.abort.get_or_init(Arc::default);
            body.abort_with(Arc::clone(aborted) as Arc<dyn Abort>);
        }
        Self {
            body,
            rest: Bytes::new(),
            pace: (!is_events).then_some(pace),
        }
    }
}

impl Body for PacedBody {
    type Data = Bytes;
    type Error = StreamFailed;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamFailed>>> {
        if let Some(pace) = &self.pace {
            pace.taken();
        }
        if self.rest.is_empty() {
            let frame = match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => frame,
                other => return other,
            };
            match frame.into_data() {
                Ok(data) => self.rest = data,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        if let Some(pace) = &self.pace {
            pace.handed_over();
        }
        let piece = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.rest.is_empty() {
            self.body.size_hint()
        } else {
            SizeHint::default()
        }
    }
}

/// Runs the streams of one connection, each as a task of its own, and resets those whose client takes
/// nothing for too long.
pub(super) struct Streams<H> {
    service: Arc<Service<H>>,
    state: Arc<ConnectionState>,
    shutdown: Arc<Shutdown>,
    /// Of the request that hyper has just had the service answer: it hands over the stream next.
    pace: Arc<Mutex<Option<Arc<Pace>>>>,
}

impl<H> Streams<H> {
    pub(super) fn new(
        service: Arc<Service<H>>,
        state: Arc<ConnectionState>,
        shutdown: &Shutdown,
    ) -> Self {
        Self {
            service,
            state,
            shutdown: Arc::new(shutdown.clone()),
            pace: Arc::default(),
        }
    }

    /// Tells of a request whose stream hyper hands over next.
    pub(super) fn begin(&self) -> Arc<Pace> {
        let pace = Arc::<Pace>::default();
        *self.pace.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&pace));
        pace
    }
}

impl<H> Clone for Streams<H> {
    fn clone(&self) -> Self {
        Self {
            service: Arc::clone(&self.service),
            state: Arc::clone(&self.state),
            shutdown: Arc::clone(&self.shutdown),
            pace: Arc::clone(&self.pace),
        }
    }
}

impl<H, F> Executor<F> for Streams<H>
where
    H: Handler,
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let pace = self
            .pace
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let pace = pace.unwrap_or_default();
        let (service, state) = (Arc::clone(&self.service), Arc::clone(&self.state));
        let shutdown = Arc::clone(&self.shutdown);
        // In memory of its own: the task would have room for it twice, and be moved with it.
        let mut stream = Box::pin(stream);
        task::spawn(async move {
            // The connection is not idle while a response of it is on its way.
            let _in_progress = Share::one(&state.answering);
            let mut timeouts = Timeouts::new();
            let mut started = None;
            poll_fn(|context| {
                if stream.as_mut().poll(context).is_ready() {
                    return Poll::Ready(());
                }
                if let Some(aborted) = pace.abort.get() {
                    let started = started.get_or_insert_with(|| Box::pin(shutdown.succeeded()));
                    if aborted.poll(context).is_ready() || started.as_mut().poll(context).is_ready()
                    {
                        return Poll::Ready(());
                    }
                }
                timeouts.poll(pace.waits_for(), &service.config, context)
            })
            .await;
            // A stream that is dropped before its end is reset.
        });
    }
}
