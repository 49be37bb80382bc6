//! One request, from its head to its answer: canonical path, route, body, handler.

mod connection_state;
mod matched;
mod response;

use std::{
    borrow::Cow,
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
use http::{StatusCode, Version, header, request::Parts, uri::PathAndQuery};
use http_body::Body;
use hyper::body::Incoming;

pub(crate) use self::{
    connection_state::{ConnectionState, Progress},
    response::{HyperResponse, is_event_stream, unanswered},
};
use self::{
    matched::Matched,
    response::{answer_early, closing, refuse_body, settle},
};
use crate::{
    body::ResponseBody,
    config::{BODIES_HELD, Config},
    exchange::{Answer, Reply, exchange},
    handler::{Fields, Handler, Request, RequestBody},
    load::{HeldBody, Load, Share},
    own_answers::{alive, fixed, overloaded},
    request_body::{ExpectedBody, IncomingBody, read_body},
    request_head::{RefusedHead, asks_to_close, check_head, name_host},
    router::{Method, Router},
    server::Parking,
    whole_request::WholeRequest,
};

/// What every connection of a server that is served in one place shares.
pub(crate) struct Service<H> {
    pub(crate) router: Arc<Router>,
    pub(crate) handler: H,
    pub(crate) config: Config,
    /// Of the whole server, as the next one.
    pub(crate) load: Arc<Load>,
    pub(crate) parking: Arc<Parking>,
}

/// A request's head that hyper has read, and its route.
struct ParsedHead {
    method: Method,
    matched: Matched,
    head: Parts,
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
        /// Its share of the requests in hand.
        admitted: Share<&'a AtomicUsize>,
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
            let mut is_plain = false;
            let response = match begun {
                Begun::Answered(response) => *response,
                Begun::Settled(answer, version) => settle(connection, Some(*answer), version).await,
                Begun::Handled {
                    reply,
                    version,
                    admitted: _admitted,
                } => {
                    let answer = reply.await;
                    is_plain =
                        version == Version::HTTP_11 && matches!(answer, Some(Answer::Full(_)));
                    settle(connection, answer, version).await
                }
                Begun::Reading(reading) => reading.await,
            };
            connection.was_plain.store(is_plain, Ordering::Relaxed);
            drop(answering);
            Ok(response)
        }
    }

    pub(crate) fn begin<'a>(
        &'a self,
        connection: &'a ConnectionState,
        mut request: http::Request<Incoming>,
    ) -> Begun<'a> {
        connection.has_begun.store(true, Ordering::Relaxed);
        connection.answered_early.store(false, Ordering::Relaxed);
        connection.is_read.store(false, Ordering::Relaxed);
        name_host(&mut request);
        if let Err(RefusedHead { status, message }) = check_head(&request, &self.config) {
            let response = fixed(status, Some(&message));
            return Begun::Answered(Box::new(closing(connection, response)));
        }
        if let Some(path) = &self.config.liveness_path
            && request.uri().path() == path
            && matches!(*request.method(), http::Method::GET | http::Method::HEAD)
        {
            let response = answer_early(connection, &request, alive());
            return Begun::Answered(Box::new(response));
        }
        let method = Method::from_http(request.method());
        let (method, matched) = match (method, self.route(method, request.uri().path())) {
            (Some(method), Ok(matched)) => (method, matched),
            (_, Err(response)) => {
                let response = answer_early(connection, &request, *response);
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
            connection.has_read(asks_to_close(&parsed.head.headers));
            return match self.load.admit(&self.config) {
                Some(admitted) => Begun::Handled {
                    version: parsed.head.version,
                    reply: self.handle(connection, parsed, RequestBody::Whole(Bytes::new())),
                    admitted,
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
                    let reply = self.handle(connection, parsed, RequestBody::Whole(body));
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
        let request = matched.into_request(
            method,
            target,
            Version::HTTP_11,
            fields,
            RequestBody::Received(body),
            &connection.peer,
        );
        let reply = self.hand_over(request, held);
        Some(Begun::Handled {
            reply,
            version: Version::HTTP_11,
            admitted,
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
        let asks = version == Version::HTTP_11 && parsed.head.headers.contains_key(header::EXPECT);
        let body = ExpectedBody::new(body);
        let expected = asks.then(|| body.clone());
        let unread = Arc::new(AtomicBool::new(false));
        let limits = (limit, self.config.request_timeout);
        let to_come = Arc::clone(&connection.to_come);
        let incoming = match IncomingBody::new(body, version, limits, Arc::clone(&unread), to_come)
        {
            Ok(incoming) => Box::new(incoming),
            Err(refused) => return Begun::Answered(Box::new(refuse_body(connection, &refused))),
        };
        let Some(admitted) = self.load.admit(&self.config) else {
            return Begun::Answered(Box::new(closing(connection, overloaded())));
        };
        let reply = self.handle(connection, parsed, RequestBody::Incoming(incoming));
        Begun::Reading(Box::pin(async move {
            let _admitted = admitted;
            let response = settle(connection, reply.await, version).await;
            if !unread.load(Ordering::Relaxed) {
                return response;
            }
            connection.answered_early.store(true, Ordering::Relaxed);
            match response.body() {
                // The handler may still read while it is sent, when the client can no more be asked.
                ResponseBody::Stream(_) => {
                    if let Some(expected) = expected {
                        expected.ask().await;
                    }
                    response
                }
                ResponseBody::Full(_) => closing(connection, response),
            }
        }))
    }

    fn handle(
        &self,
        connection: &ConnectionState,
        parsed: ParsedHead,
        body: RequestBody<'_>,
    ) -> Reply {
        let ParsedHead {
            method,
            matched,
            head,
        } = parsed;
        let target = head.uri.path_and_query().map_or("", PathAndQuery::as_str);
        // In absolute form a query may follow the host at once: the path is `/` then (RFC 9110, 4.2.3).
        let target = match target.starts_with('?') {
            true => Cow::Owned(format!("/{target}")),
            false => Cow::Borrowed(target),
        };
        let request = matched.into_request(
            method,
            &target,
            head.version,
            Fields::Map(&head.headers),
            body,
            &connection.peer,
        );
        self.hand_over(request, None)
    }

    fn hand_over(&self, request: Request<'_>, held: Option<HeldBody>) -> Reply {
        let (exchange, reply) = exchange(held);
        // The panic hook has printed the message; the exchange, dropped, answers 500.
        let _ = catch_unwind(AssertUnwindSafe(|| self.handler.handle(request, exchange)));
        reply
    }
}
