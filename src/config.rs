//! Limits and settings of a server.

use std::time::Duration;

use crate::router::RouteId;

/// The default of [`Config::body_limit`]: 1 MiB.
pub const DEFAULT_BODY_LIMIT: usize = 1 << 20;

/// Settings of one server.
#[derive(Clone, Debug)]
pub struct Config {
    /// The largest request body accepted, in bytes. A larger one is answered 413.
    pub body_limit: usize,
    /// The largest request head accepted, in bytes: the request line and the header fields. A
    /// larger one is answered 431.
    pub max_header_size: usize,
    /// How many header fields a request may have; one with more is answered 431.
    pub max_headers_count: usize,
    /// The longest request target accepted, in bytes. A longer one is answered 414, which it is
    /// beyond 65,534 bytes in any case.
    pub max_url_length: usize,
    /// How many connections are open at a time; one more is closed as it comes. `None`: no limit.
    pub max_connections: Option<usize>,
    /// How many requests may wait for their handlers' answers at a time; one more is answered 503.
    /// A response that is being streamed does not wait. `None`: no limit.
    pub max_concurrent_requests: Option<usize>,
    /// How long a request's head may take from its first byte on; then 408. `None`: for ever.
    pub headers_timeout: Option<Duration>,
    /// How long a request's body may take from its head on; then 408. `None`: for ever.
    pub request_timeout: Option<Duration>,
    /// How long a connection may wait for a request; then it is closed. `None`: for ever.
    pub keep_alive_timeout: Option<Duration>,
    /// How long a client may take nothing of a response that waits for it; then the connection is
    /// reset. Not of an event stream. `None`: for ever.
    pub write_timeout: Option<Duration>,
    /// The path whose GET and HEAD are answered 200 for as long as the server serves, without a
    /// handler. `None`: there is none.
    pub liveness_path: Option<String>,
    /// What is different for a route, by its id; a route beyond the last has nothing of its own.
    pub routes: Vec<RouteConfig>,
    /// What the handler is given as the route of requests that match none, if their method is a
    /// [`Method`](crate::router::Method). `None`: they are answered 404, 405 and, for OPTIONS, 204,
    /// without a handler.
    pub unmatched: Option<RouteId>,
}

/// Settings of one route.
#[derive(Clone, Debug, Default)]
pub struct RouteConfig {
    /// The largest body accepted, in bytes. `None`: [`Config::body_limit`], or no limit where the body is
    /// streamed.
    pub body_limit: Option<usize>,
    /// The handler has the body as it comes: [`Request::incoming`](crate::Request::incoming).
    pub streams_body: bool,
}

impl Config {
    /// The settings of a route.
    pub(crate) fn route(&self, route: RouteId) -> &RouteConfig {
        self.routes
            .get(route.get() as usize)
            .unwrap_or(&NO_ROUTE_CONFIG)
    }
}

const NO_ROUTE_CONFIG: RouteConfig = RouteConfig {
    body_limit: None,
    streams_body: false,
};

impl Default for Config {
    fn default() -> Self {
        Self {
            body_limit: DEFAULT_BODY_LIMIT,
            max_header_size: 64 * 1024,
            max_headers_count: 100,
            max_url_length: 16 * 1024,
            max_connections: None,
            max_concurrent_requests: None,
            headers_timeout: Some(Duration::from_secs(30)),
            request_timeout: Some(Duration::from_secs(300)),
            keep_alive_timeout: Some(Duration::from_secs(75)),
            write_timeout: Some(Duration::from_secs(120)),
            liveness_path: None,
            routes: Vec::new(),
            unmatched: None,
        }
    }
}

/// How many bytes of request bodies a server holds at a time, or one that is as large as it may be;
/// more are answered 503. Without it a thousand clients could have it hold a thousand times the limit
/// of one.
pub(crate) const BODIES_HELD: usize = 256 << 20;

/// The most header fields that the type for them can hold.
pub(crate) const MOST_HEADERS: usize = 1 << 14;

/// How many bytes of one streamed response may be on their way between its source and hyper, at
/// first. Each time that half of them were taken it doubles, up to [`STREAM_WINDOW`]: a client that
/// stalls from the start costs little, a fast one is served in large steps.
pub const FIRST_STREAM_WINDOW: usize = 64 * 1024;

/// How many bytes of one streamed response may be on their way between its source and hyper.
pub const STREAM_WINDOW: usize = 256 * 1024;

/// How long the headers of a streamed response wait for its first chunk, so that both leave in one
/// packet.
pub(crate) const FIRST_CHUNK_DELAY: Duration = Duration::from_millis(10);

/// How long the chunk that fulfils a streamed response's `Content-Length` waits for the source's end,
/// so that a source that is too long does not look complete.
pub(crate) const LAST_CHUNK_DELAY: Duration = Duration::from_millis(50);

/// The most hyper buffers of one connection in either direction, in bytes, unless request heads may be
/// larger.
pub(crate) const CONNECTION_BUFFER: usize = 64 * 1024;

/// How long a client may go on sending after the last response of its connection, before that is closed: so that
/// the response is not lost to a reset (RFC 9112, 9.6). How long one of HTTP/2 may take to answer a farewell.
pub(crate) const LINGER: Duration = Duration::from_secs(2);

/// How many requests of one HTTP/2 connection are answered at a time; a client waits with more.
pub(crate) const HTTP2_STREAMS: u32 = 128;

/// How many bytes of one request's body, and of all of one HTTP/2 connection, a client sends before they are
/// read: a body that is not read leaves room for others.
pub(crate) const HTTP2_STREAM_WINDOW: u32 = 256 << 10;
pub(crate) const HTTP2_CONNECTION_WINDOW: u32 = 2 << 20;

/// After how long without a word an HTTP/2 client is asked whether it is there, and how long its
/// answer may take.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(20);
pub(crate) const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// After how long without a request an HTTP/1 connection keeps no memory for reading one.
pub(crate) const PARK_AFTER: Duration = Duration::from_secs(2);

/// How long a TLS handshake may take.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
