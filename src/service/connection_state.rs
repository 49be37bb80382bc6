//! What a connection is in the middle of.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use crate::{body::Passage, handler::Peer};

/// What every request of one connection shares.
pub(crate) struct ConnectionState {
    pub(crate) peer: Peer,
    /// The way past hyper to the socket, for responses that come one after the other.
    pub(super) passage: Option<Arc<dyn Passage>>,
    /// A request was answered before its body was read: the client may still be sending.
    pub(crate) answered_early: AtomicBool,
    /// The response in progress ends where the connection does.
    pub(crate) close_delimited: AtomicBool,
    /// How many requests have not been answered, or their answer's head not been made; of HTTP/2 all
    /// streams that have not ended.
    pub(crate) answering: AtomicUsize,
    /// How many responses are being streamed; of HTTP/1 it is one, perhaps of events.
    pub(super) streaming: Arc<AtomicUsize>,
    pub(super) event_stream: AtomicBool,
    /// Held by each body that is read as it comes, for as long as there may be more of it.
    pub(super) to_come: Arc<()>,
    /// All has been read of the request that is answered next.
    pub(super) is_read: AtomicBool,
    /// It asked for the connection to end with its response (RFC 9112, 9.6).
    pub(super) asked_to_close: AtomicBool,
    /// hyper has handed over a request since this was last looked at.
    pub(crate) has_begun: AtomicBool,
    /// The last request that was answered came whole, was answered whole, and said nothing of the connection:
    /// it did not take hyper.
    pub(crate) was_plain: AtomicBool,
}

/// What a connection is in the middle of.
#[derive(PartialEq)]
pub(crate) enum Progress {
    None,
    /// A request that is being answered, a response that is being streamed, or a body that its response has not
    /// waited for.
    Request,
    EventStream,
}

impl ConnectionState {
    pub(crate) fn new(peer: Peer, passage: Option<Arc<dyn Passage>>) -> Self {
        Self {
            passage,
            peer,
            answered_early: AtomicBool::new(false),
            close_delimited: AtomicBool::new(false),
            answering: AtomicUsize::new(0),
            streaming: Arc::default(),
            event_stream: AtomicBool::new(false),
            to_come: Arc::default(),
            is_read: AtomicBool::new(false),
            asked_to_close: AtomicBool::new(false),
            has_begun: AtomicBool::new(false),
            was_plain: AtomicBool::new(false),
        }
    }

    /// Nothing is left to be read of a request.
    pub(crate) fn has_read(&self, asked_to_close: bool) {
        self.is_read.store(true, Ordering::Relaxed);
        self.asked_to_close.store(asked_to_close, Ordering::Relaxed);
    }

    pub(crate) fn progress(&self) -> Progress {
        let is_streaming = self.streaming.load(Ordering::Relaxed) > 0;
        let is_answering = self.answering.load(Ordering::Relaxed) > 0;
        let is_receiving = Arc::strong_count(&self.to_come) > 1;
        if is_streaming && !is_answering && self.event_stream.load(Ordering::Relaxed) {
            Progress::EventStream
        } else if is_answering || is_streaming || is_receiving {
            Progress::Request
        } else {
            Progress::None
        }
    }
}
