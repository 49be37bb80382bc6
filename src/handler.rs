//! The seam: what the HTTP side asks of whoever answers requests.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Version};

use crate::{
    exchange::Exchange,
    header_section::RepeatedFields,
    request_body::IncomingBody,
    router::{Method, MethodSet, Params, RouteId},
};

/// Answers matched requests. The bridge to JavaScript is one; any closure is another:
///
/// ```
/// use wapix::{Exchange, Handler, Request, Response};
///
/// fn is_handler(_: impl Handler) {}
/// is_handler(|_request: Request, exchange: Exchange| exchange.respond(Response::text("hello")));
/// ```
pub trait Handler: Send + Sync + 'static {
    /// Takes one request. The answer goes through `exchange`, now or later; dropping it unanswered
    /// answers 500. Runs on the I/O thread: it must not block.
    fn handle(&self, request: Request<'_>, exchange: Exchange);
}

impl<F> Handler for F
where
    F: Fn(Request<'_>, Exchange) + Send + Sync + 'static,
{
    fn handle(&self, request: Request<'_>, exchange: Exchange) {
        self(request, exchange);
    }
}

/// A request that matched a route, or is handed over all the same ([`Config::unmatched`]).
///
/// [`Config::unmatched`]: crate::Config::unmatched
#[derive(Debug)]
pub struct Request<'a> {
    /// The route it matched.
    pub route: RouteId,
    /// The methods that its path has, OPTIONS among them: where it matched no route, or OPTIONS of a server
    /// with [`Config::unmatched`](crate::Config::unmatched); none where the path is unknown.
    pub allowed: MethodSet,
    /// The route method it matched or, for HEAD on a GET route, the method sent.
    pub method: Method,
    /// Path parameters, as ranges of [`Request::path`].
    pub params: Params,
    /// The canonical path, where it differs from the path in the target.
    pub decoded_path: Option<String>,
    /// The path and the query, as they were sent (RFC 9112, 3.2.1).
    pub target: &'a str,
    /// The version of HTTP that it was sent with.
    pub version: Version,
    /// The header fields.
    pub fields: Fields<'a>,
    /// The content; empty where there is none.
    pub body: RequestBody<'a>,
    /// The other end of the connection.
    pub peer: &'a Peer,
}

impl Request<'_> {
    /// The path that the router matched, percent-decoded.
    pub fn path(&self) -> &str {
        let raw = || self.target.split('?').next().unwrap_or_default();
        self.decoded_path.as_deref().unwrap_or_else(raw)
    }
}

/// The content of a request.
#[derive(Debug)]
pub enum RequestBody<'a> {
    /// All of it, where it was read to.
    Received(&'a [u8]),
    /// All of it, gathered.
    Whole(Bytes),
    /// As it comes, where the route's handler has it so. Boxed: few requests have one.
    Incoming(Box<IncomingBody>),
}

impl RequestBody<'_> {
    /// What there is of it already.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Received(bytes) => bytes,
            Self::Whole(bytes) => bytes,
            Self::Incoming(_) => &[],
        }
    }

    /// What there is of it already, to be kept.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Received(bytes) => Bytes::copy_from_slice(bytes),
            Self::Whole(bytes) => bytes,
            Self::Incoming(_) => Bytes::new(),
        }
    }
}

/// The header fields of a request.
#[derive(Clone, Copy, Debug)]
pub enum Fields<'a> {
    /// As hyper hands them over, names in lower case.
    Map(&'a HeaderMap),
    /// As they were sent, names in any case.
    Sent(&'a [httparse::Header<'a>]),
    /// As they were sent with requests before, too.
    Repeated(&'a RepeatedFields),
}

impl<'a> Fields<'a> {
    /// Calls `each` with every name and value, one after the other.
    pub fn each(self, mut each: impl FnMut(&'a str, &'a [u8])) {
        match self {
            Self::Map(map) => map
                .iter()
                .for_each(|(name, value)| each(name.as_str(), value.as_bytes())),
            Self::Sent(fields) => fields
                .iter()
                .for_each(|field| each(field.name, field.value)),
            Self::Repeated(fields) => fields.iter().for_each(|(name, value)| each(name, value)),
        }
    }
}

/// The other end of a connection.
#[derive(Debug)]
pub struct Peer {
    /// Its IP address as text; empty over a Unix socket.
    pub ip: String,
    /// Its port; 0 over a Unix socket.
    pub port: u16,
    /// Whether the connection is encrypted.
    pub encrypted: bool,
}

impl Peer {
    pub(crate) fn new(address: Option<SocketAddr>, encrypted: bool) -> Self {
        Self {
            ip: address
                .map(|address| address.ip().to_canonical().to_string())
                .unwrap_or_default(),
            port: address.map_or(0, |address| address.port()),
            encrypted,
        }
    }
}
