//! Response content on its way to hyper: whole, or streamed with backpressure.

mod direct;
mod file;
mod file_range;
mod framing;
mod heartbeat;
mod passage;
mod placeholder;
mod rest;
mod sender;
mod shared_chunk;
mod stream;

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

pub use self::{
    direct::{Direct, DirectWriter},
    file::FileSource,
    sender::BodySender,
};
pub(crate) use self::{
    file_range::FileRange,
    framing::{CHUNK_END, CHUNK_SIZE, Framing, LAST_CHUNK, chunk_size},
    passage::{Abort, Drained, Passage, Passed},
    placeholder::{StandsFor, before_placeholder},
    rest::{Next, Rest},
    shared_chunk::{LARGE, Offered, SharedChunk},
    stream::{StreamBody, stream_body},
};

/// Why a streamed response ended early. hyper answers it by closing the connection without a final
/// chunk, so that the client sees the response incomplete.
#[derive(Debug, thiserror::Error)]
#[error("the response stream failed")]
pub(crate) struct StreamFailed;

pub(crate) enum ResponseBody {
    Full(Bytes),
    Stream(StreamBody),
}

impl ResponseBody {
    /// Tells a streamed response what ends it where its client takes nothing.
    pub(crate) fn abort_with(&self, abort: Arc<dyn Abort>) {
        if let Self::Stream(stream) = self {
            stream.abort_with(abort);
        }
    }
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
            Self::Stream(stream) => stream.is_drained(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}
