//! A request's body, read to its end before the handler sees the request.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::{
    config::{BODIES_HELD, Config},
    load::Share,
};

/// Why a body was not read to its end.
pub(crate) enum RefusedBody {
    TooLarge,
    /// The server holds as many bodies as it may.
    NoRoom,
    TooSlow,
    Broken(hyper::Error),
}

impl RefusedBody {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoRoom => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken(_) => StatusCode::BAD_REQUEST,
        }
    }

    pub(crate) fn message(&self, config: &Config) -> String {
        match self {
            Self::TooLarge => {
                let limit = config.body_limit;
                format!("the body is larger than the limit of {limit} bytes")
            }
            Self::NoRoom => "too many bodies are in flight".to_owned(),
            Self::TooSlow => "the body took too long".to_owned(),
            Self::Broken(error) => format!("the body could not be read: {error}"),
        }
    }
}

/// Reads a body to its end, within the limits of `config`; `held` is told what it holds.
pub(crate) async fn read_body(
    body: Incoming,
    headers: &HeaderMap,
    config: &Config,
    held: &mut Share<'_>,
) -> Result<Bytes, RefusedBody> {
    let reading = read_whole_body(body, headers, config.body_limit, held);
    match config.request_timeout {
        Some(limit) => timeout(limit, reading)
            .await
            .unwrap_or(Err(RefusedBody::TooSlow)),
        None => reading.await,
    }
}

async fn read_whole_body(
    mut body: Incoming,
    headers: &HeaderMap,
    limit: usize,
    held: &mut Share<'_>,
) -> Result<Bytes, RefusedBody> {
    let announced = body.size_hint().exact().unwrap_or(0);
    if announced > limit as u64 {
        return Err(RefusedBody::TooLarge);
    }
    let mut first = Bytes::new();
    let mut gathered = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(RefusedBody::Broken)?;
        let Ok(chunk) = frame.into_data() else {
            continue;
        };
        if first.len() + gathered.len() + chunk.len() > limit {
            return Err(RefusedBody::TooLarge);
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
