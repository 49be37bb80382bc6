//! The responses that hyper is given.

use std::sync::{Arc, atomic::Ordering};

use http::{HeaderMap, HeaderValue, Response as HttpResponse, StatusCode, Version, header};
use http_body::Body;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::ConnectionState;
use crate::{
    body::{Framing, Next, ResponseBody, StreamBody},
    config::{FIRST_CHUNK_DELAY, LAST_CHUNK_DELAY},
    exchange::{Answer, Head},
    own_answers::{fixed, refused_body},
    request_body::RefusedBody,
};

pub(crate) type HyperResponse = HttpResponse<ResponseBody>;

/// The media type whose headers do not wait for the first chunk.
const EVENT_STREAM: &[u8] = b"text/event-stream";

/// The response that a handler's answer makes.
pub(super) async fn settle(
    connection: &ConnectionState,
    answer: Option<Answer>,
    version: Version,
) -> HyperResponse {
    match answer {
        Some(Answer::Full(answer)) => {
            let Head {
                status, headers, ..
            } = Head::new(answer.status, &answer.fields);
            let mut response = HttpResponse::new(ResponseBody::Full(answer.body));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            response
        }
        // Boxed: other answers need not carry the room for it along.
        Some(Answer::Stream(head, body)) => Box::pin(stream(connection, head, body, version)).await,
        None => unanswered(),
    }
}

/// The answer where the handler gives none.
pub(crate) fn unanswered() -> HyperResponse {
    fixed(StatusCode::INTERNAL_SERVER_ERROR, None)
}

/// Whether a response is a stream of events, which may be silent, and its client slow, for ever.
pub(crate) fn is_event_stream(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| {
        value
            .as_bytes()
            .get(..EVENT_STREAM.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(EVENT_STREAM))
    })
}

/// An answer that did not wait for the request's body: hyper closes the connection after it
/// where that body is still on its way.
pub(super) fn answer_early(
    connection: &ConnectionState,
    request: &http::Request<Incoming>,
    response: HyperResponse,
) -> HyperResponse {
    if request.body().is_end_stream() {
        response
    } else {
        closing(connection, response)
    }
}

/// A response that ends its connection, with the client perhaps still sending.
pub(super) fn closing(connection: &ConnectionState, mut response: HyperResponse) -> HyperResponse {
    connection.answered_early.store(true, Ordering::Relaxed);
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

/// The answer where a body is refused.
pub(super) fn refuse_body(connection: &ConnectionState, refused: &RefusedBody) -> HyperResponse {
    closing(connection, refused_body(refused))
}

async fn stream(
    connection: &ConnectionState,
    head: Head,
    mut body: StreamBody,
    version: Version,
) -> HyperResponse {
    let event_stream = is_event_stream(&head.headers);
    let content_length = head
        .headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    // First: of what ends before its first chunk hyper would say another length.
    if let Some(content_length) = content_length {
        body.promise(content_length);
    }
    let patience = match content_length {
        // The head is all there is of it then.
        Some(0) => LAST_CHUNK_DELAY,
        _ => FIRST_CHUNK_DELAY,
    };
    let has_failed = if head.awaits_content {
        body.started().await.is_err()
    } else if event_stream {
        body.has_failed()
    } else {
        matches!(timeout(patience, body.started()).await, Ok(Err(_)))
    };
    if has_failed {
        return fixed(StatusCode::INTERNAL_SERVER_ERROR, None);
    }
    connection
        .event_stream
        .store(event_stream, Ordering::Relaxed);
    body.count(Arc::clone(&connection.streaming));
    let framing = match content_length {
        Some(_) => Framing::Counted,
        None if version == Version::HTTP_10 => Framing::None,
        None => Framing::Chunked,
    };
    if let Some(passage) = &connection.passage {
        body.framed(framing, Arc::clone(passage));
    }
    let is_all = event_stream && connection.is_read.load(Ordering::Relaxed);
    if is_all && !head.headers.contains_key(header::CONNECTION) {
        body.followed_by(match connection.asked_to_close.load(Ordering::Relaxed) {
            true => Next::Close,
            false => Next::Request,
        });
    }
    let mut response = HttpResponse::new(ResponseBody::Stream(body));
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    if framing == Framing::None {
        // RFC 9112, 6.3.
        connection.close_delimited.store(true, Ordering::Relaxed);
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
