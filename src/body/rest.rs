//! The rest of a response that its connection goes on with itself: hyper is let go of, and its memory.

use std::sync::{Arc, atomic::AtomicUsize};

use super::{
    StreamBody,
    framing::Framing,
    sender::{Shared, State},
};

/// A response of which nothing but events follows, for as long as its connection lasts.
pub(crate) struct Rest {
    shared: Arc<Shared>,
    in_progress: Option<Arc<AtomicUsize>>,
}

impl StreamBody {
    /// Tells the connection where all it has to do is to send chunks.
    pub(super) fn offer_rest(&self, state: &State) {
        if let (true, Some((passage, Framing::Chunked))) = (state.is_subscribed, &state.passage)
            && !passage.is_taken_over()
        {
            passage.offer_rest(Rest {
                shared: Arc::clone(&self.shared),
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
            if state.closed {
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
