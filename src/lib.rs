//! The Rust core of wapix: HTTP I/O, routing, and the bridge to handlers in JavaScript.
//!
//! The flow of a request, file by file:
//!
//! 1. `server/accept` accepts a connection, `server/connection` finds out what is spoken over it,
//!    `server/http1` and `server/http2` serve it: with hyper or, where a request has come whole
//!    (`whole_request`), without.
//! 2. `service` takes each request: head, canonical path, route, body, and what the server has in
//!    hand (`load`).
//! 3. [`router`] finds the route, as a [`router::RouteId`].
//! 4. `handler` is the seam: a [`Handler`] takes the [`Request`] and an [`Exchange`].
//! 5. `bridge` is the handler that queues requests for JavaScript and takes its answers, in batches.
//! 6. `exchange` carries the answer back, with its fields (`field_lines`), `body` its content, to the socket. `channel` sends
//!    one event as the content of many.
//!
//! All of it runs on tokio's runtime, or on a `reactor` inside somebody else's event loop.
//!
//! Everything but `binding` is free of Node: the server runs from Rust with a closure as handler.

mod binding;
mod body;
pub mod bridge;
mod byte_table;
mod channel;
mod config;
mod date;
mod error;
mod exchange;
mod field_lines;
mod handler;
mod header_section;
mod load;
mod multipart;
mod own_answers;
mod pool;
#[cfg(unix)]
pub mod reactor;
mod request_body;
mod request_head;
pub mod router;
mod server;
mod service;
mod task;
mod whole_request;

#[cfg(unix)]
pub use self::server::{Arrivals, Introducer, Introductions, Successor, introductions};
pub use self::{
    body::{BodySender, Direct, DirectWriter, FileSource},
    channel::{Channel, ChannelOptions, OpenError, Published, RedisOptions, Slow},
    config::{Config, DEFAULT_BODY_LIMIT, FIRST_STREAM_WINDOW, RouteConfig, STREAM_WINDOW},
    error::Error,
    exchange::{Exchange, Head, Observer, Response},
    field_lines::FieldLines,
    handler::{Fields, Handler, Peer, Request, RequestBody},
    header_section::RepeatedFields,
    multipart::{MultipartError, Part, parse_multipart},
    request_body::{IncomingBody, RefusedBody},
    server::{Listener, LocalAddress, Server, Shutdown, Tls},
};
