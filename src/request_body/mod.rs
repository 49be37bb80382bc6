//! A request's body: read to its end before the handler sees the request or, where the route wants it so, as it
//! comes.

mod expected;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, Version, header, request::Parts};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::{task::yield_now, time::timeout};

pub(crate) use self::expected::ExpectedBody;
use crate::{config::BODIES_HELD, load::HeldBody};

/// Why a body was not read to its end.
#[derive(Debug)]
pub enum RefusedBody {
    /// It is larger than so many bytes.
    TooLarge(usize),
    /// The server holds as many bodies as it may.
    NoRoom,
    /// It took too long.
    TooSlow,
    /// The client has left, or what it sends is not HTTP.
    Broken(hyper::Error),
}

impl RefusedBody {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoRoom => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// The limit that the body exceeds, in bytes.
    pub(crate) fn limit(&self) -> Option<usize> {
        match self {
            Self::TooLarge(limit) => Some(*limit),
            _ => None,
        }
    }

    pub(crate) fn message(&self) -> String {
        match self {
            Self::TooLarge(limit) => format!("the body is larger than the limit of {limit} bytes"),
            Self::NoRoom => "too many bodies are in flight".to_owned(),
            Self::TooSlow => "the body took too long".to_owned(),
            Self::Broken(error) => format!("the body could not be read: {error}"),
        }
    }
}

/// Reads a body to its end, which may have `limit` bytes and take `patience`; `held` is told what it
/// holds.
pub(crate) async fn read_body(
    body: Incoming,
    head: &Parts,
    (limit, patience): (usize, Option<Duration>),
    held: &mut HeldBody,
) -> Result<Bytes, RefusedBody> {
    let reading = read_whole_body(body, (&head.headers, head.version), limit, held);
    match patience {
        Some(limit) => timeout(limit, reading)
            .await
            .unwrap_or(Err(RefusedBody::TooSlow)),
        None => reading.await,
    }
}

/// The next frame. Of an HTTP/2 stream that its client has reset with NO_ERROR hyper says the same as of one that
/// has ended. But it drops whoever waits for that request; so this waits for once.
async fn next_frame(
    body: &mut (impl Body<Data = Bytes, Error = hyper::Error> + Unpin),
    version: Version,
) -> Option<Result<Frame<Bytes>, hyper::Error>> {
    let frame = body.frame().await;
    if frame.is_none() && version == Version::HTTP_2 {
        yield_now().await;
    }
    frame
}

async fn read_whole_body(
    mut body: Incoming,
    (headers, version): (&HeaderMap, Version),
    limit: usize,
    held: &mut HeldBody,
) -> Result<Bytes, RefusedBody> {
    let announced = body.size_hint().exact().unwrap_or(0);
    if announced > limit as u64 {
        return Err(RefusedBody::TooLarge(limit));
    }
    let mut first = Bytes::new();
    let mut gathered = BytesMut::new();
    while let Some(frame) = next_frame(&mut body, version).await {
        let frame = frame.map_err(RefusedBody::Broken)?;
        let Ok(chunk) = frame.into_data() else {
            continue;
        };
        if first.len() + gathered.len() + chunk.len() > limit {
            return Err(RefusedBody::TooLarge(limit));
        }
        if !held.grow(chunk.len(), limit.max(BODIES_HELD)) {
            return Err(RefusedBody::NoRoom);
        }
        if first.is_empty() && gathered.is_empty() {
            first = chunk;
            continue;
        }
        if gathered.is_empty() {
            let known = headers.contains_key(header::CONTENT_LENGTH);
            gathered.reserve(if known {
                announced as usize
            } else {
                first.len() + chunk.len()
            });
            gathered.extend_from_slice(&first);
            first = Bytes::new();
        }
        gathered.extend_from_slice(&chunk);
    }
    Ok(if gathered.is_empty() {
        first
    } else {
        gathered.freeze()
    })
}

/// A body that is read as it comes: the client sends no faster than it is read. Dropped before its end, it
/// ends the connection after the response (of HTTP/2 the stream).
pub struct IncomingBody {
    body: ExpectedBody,
    limit: Option<usize>,
    patience: Option<Duration>,
    version: Version,
    read: usize,
    /// Whether there may be more.
    unread: Arc<AtomicBool>,
    /// Held while there may be more.
    to_come: Option<Arc<()>>,
}

impl IncomingBody {
    /// `unread` is true until the end has been read, and `to_come` held until then. Of a body that is
    /// announced larger than `limit` nothing is read.
    pub(crate) fn new(
        body: ExpectedBody,
        version: Version,
        (limit, patience): (Option<usize>, Option<Duration>),
        unread: Arc<AtomicBool>,
        to_come: Arc<()>,
    ) -> Result<Self, RefusedBody> {
        let announced = body.size_hint().exact().unwrap_or(0);
        if let Some(limit) = limit.filter(|limit| announced > *limit as u64) {
            return Err(RefusedBody::TooLarge(limit));
        }
        unread.store(true, Ordering::Relaxed);
        Ok(Self {
            body,
            limit,
            patience,
            version,
            read: 0,
            unread,
            to_come: Some(to_come),
        })
    }

    /// The next chunk, or `None` at the end. A client that waits to be asked for the body (RFC 9110,
    /// 10.1.1) is asked with the first call, or before the head of a streamed response.
    ///
    /// # Errors
    /// The client has left, sends too much, or nothing for as long as a body may take.
    pub async fn next(&mut self) -> Result<Option<Bytes>, RefusedBody> {
        loop {
            let frame = match self.patience {
                Some(patience) => timeout(patience, next_frame(&mut self.body, self.version))
                    .await
                    .map_err(|_| RefusedBody::TooSlow)?,
                None => next_frame(&mut self.body, self.version).await,
            };
            let Some(frame) = frame else {
                self.unread.store(false, Ordering::Relaxed);
                self.to_come = None;
                return Ok(None);
            };
            // Trailers are not passed on.
            let Ok(chunk) = frame.map_err(RefusedBody::Broken)?.into_data() else {
                continue;
            };
            self.read += chunk.len();
            if let Some(limit) = self.limit.filter(|limit| self.read > *limit) {
                return Err(RefusedBody::TooLarge(limit));
            }
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
        }
    }
}

impl fmt::Debug for IncomingBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("IncomingBody")
            .field("read", &self.read)
            .finish_non_exhaustive()
    }
}
