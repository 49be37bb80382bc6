//! A request's body whose client may wait to be asked for it (`Expect: 100-continue`, RFC 9110, 10.1.1).

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::task::yield_now;

type Read = Option<Result<Frame<Bytes>, hyper::Error>>;

/// The body, for who reads it and for who begins the response. hyper asks the client when it is first polled, but not
/// behind the head of the response.
#[derive(Clone)]
pub(crate) struct ExpectedBody(Arc<Mutex<State>>);

struct State {
    body: Incoming,
    is_asked: bool,
    /// What came of asking, for who reads.
    read: Option<Read>,
}

impl ExpectedBody {
    pub(crate) fn new(body: Incoming) -> Self {
        Self(Arc::new(Mutex::new(State {
            body,
            is_asked: false,
            read: None,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the client asked for the body, where nobody has yet. To be awaited by the connection's own task, before
    /// the head of the response leaves.
    pub(crate) async fn ask(self) {
        poll_fn(|context| {
            let state = &mut *self.lock();
            // Polled once more, it would wake this task in place of who reads.
            if !state.is_asked {
                state.is_asked = true;
                if let Poll::Ready(read) = Pin::new(&mut state.body).poll_frame(context) {
                    state.read = Some(read);
                }
            }
            Poll::Ready(())
        })
        .await;
        // hyper reads, and asks, before it comes back to the response.
        yield_now().await;
    }
}

impl Body for ExpectedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Read> {
        let state = &mut *self.lock();
        state.is_asked = true;
        match state.read.take() {
            Some(read) => Poll::Ready(read),
            None => Pin::new(&mut state.body).poll_frame(context),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.lock().body.size_hint()
    }
}
