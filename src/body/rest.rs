//! The rest of a response that its connection goes on with itself: hyper is let go of, and its memory.

use std::sync::{Arc, atomic::AtomicUsize};

use super::{
    StreamBody,
    framing::Framing,
    sender::{Shared, State},
};

/// What a connection does after a response.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Next {
    Request,
    Close,
}

/// A response of which nothing but events follows.
pub(crate) struct Rest {
    shared: Arc<Shared>,
    /// The connection may end with it.
    pub(crate) may_be_last: bool,
    /// The connection can go on after it.
    pub(crate) can_go_on: bool,
    in_progress: Option<Arc<AtomicUsize>>,
}

impl StreamBody {
    /// Tells the connection where all it has to do is to send chunks.
    pub(super) fn offer_rest(&self, state: &State) {
        if let (true, Some((passage, Framing::Chunked))) = (state.has_only_chunks(), &state.passage)
            && !passage.is_taken_over()
        {
            passage.offer_rest(Rest {
                shared: Arc::clone(&self.shared),
                may_be_last: state.is_subscribed || state.next == Some(Next::Close),
                can_go_on: state.next == Some(Next::Request),
                in_progress: self.in_progress.clone(),
            });
        }
    }
}

impl Rest {
    /// The body to go on with. The one that hyper has is to be dropped next; `None` where it was already.
    pub(crate) fn into_body(self) -> Option<StreamBody> {
        {
            let mut state = self.shared.lock();
            // Since it was offered, a file may have come, which only the other body has.
            if state.closed || !state.has_only_chunks() {
                return None;
            }
            state.is_taken_over = true;
        }
        let mut body = StreamBody::new(self.shared);
        if let Some(number) = self.in_progress {
            body.count(number);
        }
        Some(body)
    }
}
