//! One request, from its head to its answer: canonical path, route, body, handler.

use std::{
    convert::Infallible,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Response as HttpResponse, StatusCode, Version, header, request::Parts,
    uri::PathAndQuery,
};
use http_body::Body;
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::{
    body::{Framing, Passage, ResponseBody, StreamBody},
    config::{BODIES_HELD, Config, FIRST_CHUNK_DELAY},
    exchange::{Answer, Head, Reply, exchange},
    handler::{Fields, Handler, Peer, Request},
    load::{Load, Share},
    own_answers::{alive, fixed, options, overloaded, refused_body, unmatched},
    request_body::{IncomingBody, RefusedBody, read_body},
    request_head::{RefusedHead, check_head},
    router::{CanonicalPath, Lookup, Method, MethodSet, Params, RouteId, Router, canonicalize},
    server::Parking,
    whole_request::WholeRequest,
};

/// The media type whose headers do not wait for the first chunk.
const EVENT_STREAM: &[u8] = b"text/event-stream";

pub(crate) type HyperResponse = HttpResponse<ResponseBody>;

/// What every connection of a server that is served in one place shares.
pub(crate) struct Service<H> {
    pub(crate) router: Arc<Router>,
    pub(crate) handler: H,
    pub(crate) config: Config,
    /// Of the whole server, as the next one.
    pub(crate) load: Arc<Load>,
    pub(crate) parking: Arc<Parking>,
}

/// What every request of one connection shares.
pub(crate) struct ConnectionState {
    pub(crate) peer: Peer,
    /// The way past hyper to the socket, for responses that come one after the other.
    passage: Option<Arc<dyn Passage>>,
    /// A request was answered before its body was read: the client may still be sending.
    pub(crate) answered_early: AtomicBool,
    /// The response in progress ends where the connection does.
    pub(crate) close_delimited: AtomicBool,
    /// How many requests have not been answered, or their answer's head not been made; of HTTP/2 all
    /// streams that have not ended.
    pub(crate) answering: AtomicUsize,
    /// How many responses are being streamed; of HTTP/1 it is one, perhaps of events.
    streaming: Arc<AtomicUsize>,
    event_stream: AtomicBool,
}

/// What a connection is in the middle of.
#[derive(PartialEq)]
pub(crate) enum Progress {
    None,
    /// A request that is being answered, or a response that is being streamed.
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
        }
    }

    pub(crate) fn progress(&self) -> Progress {
        if self.answering.load(Ordering::Relaxed) > 0 {
            Progress::Request
        } else if self.streaming.load(Ordering::Relaxed) == 0 {
            Progress::None
        } else if self.event_stream.load(Ordering::Relaxed) {
            Progress::EventStream
        } else {
            Progress::Request
        }
    }
}

/// What a request is to be handled as.
struct Matched {
    route: RouteId,
    params: Params,
    decoded_path: Option<String>,
    allowed: MethodSet,
}

/// A request's head that hyper has read, and its route.
struct ParsedHead {
    method: Method,
    matched: Matched,
    head: Parts,
}

/// A request's body: all of it, or as it comes.
enum Content {
    Whole(Bytes),
    Incoming(Box<IncomingBody>),
}

/// How far a request has come without waiting for anything.
pub(crate) enum Begun<'a> {
    /// The server has answered it.
    Answered(Box<HyperResponse>),
    /// The handler has answered it.
    Settled(Box<Answer>, Version),
    /// The handler has it.
    Handled {
        reply: Reply,
        version: Version,
        /// Its share of the requests in hand, and of the bodies.
        load: (Share<'a>, Option<Share<'a>>),
    },
    /// Its body is still on its way.
    Reading(Pin<Box<dyn Future<Output = HyperResponse> + Send + 'a>>),
}

impl<H: Handler> Service<H> {
    /// The same server's, in another place.
    pub(crate) fn beside(&self, handler: H) -> Self {
        Self {
            router: Arc::clone(&self.router),
            handler,
            config: self.config.clone(),
            load: Arc::clone(&self.load),
            parking: Arc::clone(&self.parking),
        }
    }

    /// Answers one request. What needs no waiting is done before the future is made: it is moved
    /// about by hyper, and small.
    pub(crate) fn respond<'a>(
        &'a self,
        connection: &'a ConnectionState,
        request: http::Request<Incoming>,
    ) -> impl Future<Output = Result<HyperResponse, Infallible>> + Send + 'a {
        let begun = self.begin(connection, request);
        Self::go_on(connection, begun)
    }

    /// Answers a request that was begun.
    pub(crate) fn go_on<'a>(
        connection: &'a ConnectionState,
        begun: Begun<'a>,
    ) -> impl Future<Output = Result<HyperResponse, Infallible>> + Send + 'a {
        let answering = Share::one(&connection.answering);
        async move {
            // Dropped with this, where the client leaves first.
            let answering = answering;
            let response = match begun {
                Begun::Answered(response) => *response,
                Begun::Settled(answer, version) => settle(connection, Some(*answer), version).await,
                Begun::Handled {
                    reply,
                    version,
                    load: _load,
                } => settle(connection, reply.await, version).await,
                Begun::Reading(reading) => reading.await,
            };
            drop(answering);
            Ok(response)
        }
    }

    pub(crate) fn begin<'a>(
        &'a self,
        connection: &'a ConnectionState,
        request: http::Request<Incoming>,
    ) -> Begun<'a> {
        if let Err(RefusedHead { status, message }) = check_head(&request, &self.config) {
            let response = fixed(status, Some(&message));
            return Begun::Answered(Box::new(closing(connection, response)));
        }
        if let Some(path) = &self.config.liveness_path
            && request.uri().path() == path
            && matches!(*request.method(), http::Method::GET | http::Method::HEAD)
        {
            let response = Self::answer_early(connection, &request, alive());
            return Begun::Answered(Box::new(response));
        }
        let method = Method::from_http(request.method());
        let (method, matched) = match (method, self.route(method, request.uri().path())) {
            (Some(method), Ok(matched)) => (method, matched),
            (_, Err(response)) => {
                let response = Self::answer_early(connection, &request, *response);
                return Begun::Answered(Box::new(response));
            }
            // A route is found only for a method that the router knows.
            (None, Ok(_)) => {
                return Begun::Answered(Box::new(fixed(StatusCode::METHOD_NOT_ALLOWED, None)));
            }
        };
        let (head, body) = request.into_parts();
        let parsed = ParsedHead {
            method,
            matched,
            head,
        };
        if body.is_end_stream() {
            return match self.load.admit(&self.config) {
                Some(admitted) => Begun::Handled {
                    version: parsed.head.version,
                    reply: self.handle(connection, parsed, Content::Whole(Bytes::new())),
                    load: (admitted, None),
                },
                None => Begun::Answered(Box::new(overloaded())),
            };
        }
        // Refused before its body is read, rather than after.
        if self.load.is_full(&self.config) {
            return Begun::Answered(Box::new(closing(connection, overloaded())));
        }
        let route = self.config.route(parsed.matched.route);
        if route.streams_body {
            return self.begin_streamed(connection, parsed, body, route.body_limit);
        }
        let patience = self.config.request_timeout;
        let limit = route.body_limit.unwrap_or(self.config.body_limit);
        Begun::Reading(Box::pin(async move {
            // Held until the answer, as the body is.
            let mut held = self.load.body();
            let limits = (limit, patience);
            let body = match read_body(body, &parsed.head, limits, &mut held).await {
                Ok(body) => body,
                Err(refused) => return refuse_body(connection, &refused),
            };
            match self.load.admit(&self.config) {
                Some(_admitted) => {
                    let version = parsed.head.version;
                    let reply = self.handle(connection, parsed, Content::Whole(body));
                    settle(connection, reply.await, version).await
                }
                None => overloaded(),
            }
        }))
    }

    /// Begins to answer a request that has come whole; `None` where it is for hyper to read, or to refuse.
    pub(crate) fn begin_whole<'a>(
        &'a self,
        connection: &'a ConnectionState,
        request: &WholeRequest<'_>,
    ) -> Option<Begun<'a>> {
        let WholeRequest {
            method,
            target,
            fields,
            body,
            ..
        } = *request;
        let path = target.split('?').next().unwrap_or_default();
        if self.config.liveness_path.as_deref() == Some(path)
            && matches!(method, Method::Get | Method::Head)
        {
            return Some(Begun::Answered(Box::new(alive())));
        }
        let matched = match self.route(Some(method), path) {
            Ok(matched) => matched,
            Err(response) => return Some(Begun::Answered(response)),
        };
        let mut held = None;
        if !body.is_empty() {
            let route = self.config.route(matched.route);
            let limit = route.body_limit.unwrap_or(self.config.body_limit);
            let held = held.insert(self.load.body());
            let has_room = body.len() <= limit && held.grow(body.len(), limit.max(BODIES_HELD));
            if route.streams_body || !has_room {
                return None;
            }
        }
        let Some(admitted) = self.load.admit(&self.config) else {
            return Some(Begun::Answered(Box::new(overloaded())));
        };
        let reply = self.hand_over(Request {
            route: matched.route,
            allowed: matched.allowed,
            method,
            params: matched.params,
            decoded_path: matched.decoded_path,
            target,
            version: Version::HTTP_11,
            fields: Fields::Sent(fields),
            body: Bytes::copy_from_slice(body),
            incoming: None,
            peer: &connection.peer,
        });
        Some(Begun::Handled {
            reply,
            version: Version::HTTP_11,
            load: (admitted, held),
        })
    }

    /// The handler has the request now, and its body as it comes.
    fn begin_streamed<'a>(
        &'a self,
        connection: &'a ConnectionState,
        parsed: ParsedHead,
        body: Incoming,
        limit: Option<usize>,
    ) -> Begun<'a> {
        let version = parsed.head.version;
        let unread = Arc::new(AtomicBool::new(false));
        let limits = (limit, self.config.request_timeout);
        let incoming = match IncomingBody::new(body, version, limits, Arc::clone(&unread)) {
            Ok(incoming) => Box::new(incoming),
            Err(refused) => return Begun::Answered(Box::new(refuse_body(connection, &refused))),
        };
        let Some(admitted) = self.load.admit(&self.config) else {
            return Begun::Answered(Box::new(closing(connection, overloaded())));
        };
        let reply = self.handle(connection, parsed, Content::Incoming(incoming));
        Begun::Reading(Box::pin(async move {
            let _admitted = admitted;
            let response = settle(connection, reply.await, version).await;
            if !unread.load(Ordering::Relaxed) {
                return response;
            }
            connection.answered_early.store(true, Ordering::Relaxed);
            match response.body() {
                // The handler may still read while it is sent.
                ResponseBody::Stream(_) => response,
                ResponseBody::Full(_) => closing(connection, response),
            }
        }))
    }

    fn handle(&self, connection: &ConnectionState, parsed: ParsedHead, content: Content) -> Reply {
        let ParsedHead {
            method,
            matched,
            head,
        } = parsed;
        let target = head.uri.path_and_query().map_or("", PathAndQuery::as_str);
        let (body, incoming) = match content {
            Content::Whole(body) => (body, None),
            Content::Incoming(incoming) => (Bytes::new(), Some(incoming)),
        };
        self.hand_over(Request {
            route: matched.route,
            allowed: matched.allowed,
            method,
            params: matched.params,
            decoded_path: matched.decoded_path,
            target,
            version: head.version,
            fields: Fields::Map(&head.headers),
            body,
            incoming,
            peer: &connection.peer,
        })
    }

    fn hand_over(&self, request: Request<'_>) -> Reply {
        let (exchange, reply) = exchange();
        // The panic hook has printed the message; the exchange, dropped, answers 500.
        let _ = catch_unwind(AssertUnwindSafe(|| self.handler.handle(request, exchange)));
        reply
    }

    fn route(&self, method: Option<Method>, path: &str) -> Result<Matched, Box<HyperResponse>> {
        if path == "*" && method == Some(Method::Options) {
            return Err(Box::new(options(Method::ALL.into_iter().collect())));
        }
        if !path.starts_with('/') {
            let reason = "the request target must be a path";
            return Err(Box::new(fixed(StatusCode::BAD_REQUEST, Some(reason))));
        }
        let path = canonicalize(path).map_err(|error| {
            Box::new(fixed(
                StatusCode::BAD_REQUEST,
                Some(&format!("path: {error}")),
            ))
        })?;
        let decoded = || (!path.is_raw()).then(|| path.as_str().to_owned());
        let allowed = match self.router.find(method, &path) {
            Lookup::Route { id, params } => {
                return Ok(Matched {
                    route: id,
                    params,
                    decoded_path: decoded(),
                    allowed: self.allowed_beside(method, &path),
                });
            }
            Lookup::Options(methods) | Lookup::MethodNotAllowed(methods) => methods,
            Lookup::NotFound => MethodSet::EMPTY,
        };
        match self.config.unmatched {
            Some(route) if method.is_some() => Ok(Matched {
                route,
                params: Params::default(),
                decoded_path: decoded(),
                allowed,
            }),
            _ => Err(Box::new(unmatched(method, allowed))),
        }
    }

    /// The methods of a path, for a handler of OPTIONS where one is asked in the server's place.
    fn allowed_beside(&self, method: Option<Method>, path: &CanonicalPath<'_>) -> MethodSet {
        if method != Some(Method::Options) || self.config.unmatched.is_none() {
            return MethodSet::EMPTY;
        }
        match self.router.find(None, path) {
            Lookup::MethodNotAllowed(methods) => methods,
            _ => MethodSet::EMPTY,
        }
    }

    /// An answer that did not wait for the request's body: hyper closes the connection after it
    /// where that body is still on its way.
    fn answer_early(
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
}

/// The response that a handler's answer makes.
async fn settle(
    connection: &ConnectionState,
    answer: Option<Answer>,
    version: Version,
) -> HyperResponse {
    match answer {
        Some(Answer::Full(answer)) => {
            let Head { status, headers } = Head::new(answer.status, &answer.fields);
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

/// A response that ends its connection, with the client perhaps still sending.
fn closing(connection: &ConnectionState, mut response: HyperResponse) -> HyperResponse {
    connection.answered_early.store(true, Ordering::Relaxed);
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

fn refuse_body(connection: &ConnectionState, refused: &RefusedBody) -> HyperResponse {
    closing(connection, refused_body(refused))
}

async fn stream(
    connection: &ConnectionState,
    head: Head,
    mut body: StreamBody,
    version: Version,
) -> HyperResponse {
    let event_stream = is_event_stream(&head.headers);
    if !event_stream && let Ok(Err(_)) = timeout(FIRST_CHUNK_DELAY, body.started()).await {
        return fixed(StatusCode::INTERNAL_SERVER_ERROR, None);
    }
    connection
        .event_stream
        .store(event_stream, Ordering::Relaxed);
    body.count(Arc::clone(&connection.streaming));
    let content_length = head
        .headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let framing = match content_length {
        Some(content_length) => {
            body.promise(content_length);
            Framing::Counted
        }
        None if version == Version::HTTP_10 => Framing::None,
        None => Framing::Chunked,
    };
    if let Some(passage) = &connection.passage {
        body.framed(framing, Arc::clone(passage));
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
