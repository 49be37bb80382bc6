//! One stream of an HTTP/2 connection: its content in pieces, and how long a client may leave one.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::rt::Executor;

use super::{
    Shutdown,
    timeouts::{Timeouts, WaitsFor},
};
use crate::{
    body::{ResponseBody, StreamFailed},
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
    /// The content is events.
    events: AtomicBool,
}

impl Pace {
    fn waits_for(&self) -> WaitsFor {
        match self.pieces.load(Ordering::Relaxed) {
            pieces if pieces % 2 == 1 => WaitsFor::Client(pieces),
            _ => WaitsFor::Server,
        }
    }

    pub(super) fn is_of_events(&self) {
        self.events.store(true, Ordering::Relaxed);
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
    pub(super) fn new(body: ResponseBody, pace: Option<Arc<Pace>>) -> Self {
        Self {
            body,
            rest: Bytes::new(),
            pace,
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
        task::spawn(async move {
            // The connection is not idle while a response of it is on its way.
            let _in_progress = Share::one(&state.answering);
            let mut stream = pin!(stream);
            let mut timeouts = Timeouts::new();
            let mut started = None;
            poll_fn(|context| {
                if stream.as_mut().poll(context).is_ready() {
                    return Poll::Ready(());
                }
                if pace.events.load(Ordering::Relaxed) {
                    let started = started.get_or_insert_with(|| Box::pin(shutdown.succeeded()));
                    if started.as_mut().poll(context).is_ready() {
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
