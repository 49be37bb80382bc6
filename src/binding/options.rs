//! The settings of a server, as JavaScript hands them over.

use std::time::Duration;

use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

use crate::{Config, RouteConfig, router::RouteId};

#[napi(object)]
pub struct BindingOptions {
    /// In bytes.
    pub body_limit: Option<f64>,
    /// In bytes.
    pub max_header_size: Option<f64>,
    pub max_headers_count: Option<f64>,
    /// In bytes.
    pub max_url_length: Option<f64>,
    pub max_connections: Option<f64>,
    pub max_concurrent_requests: Option<f64>,
    /// In milliseconds, as the other timeouts; 0 for none.
    pub headers_timeout: Option<f64>,
    pub request_timeout: Option<f64>,
    pub keep_alive_timeout: Option<f64>,
    pub write_timeout: Option<f64>,
    /// How many threads do I/O; 0 for JavaScript's own, by the cores there are where it is not given.
    pub io_threads: Option<u32>,
    /// Whether the runtime has libuv's loop, and not only its functions.
    pub has_event_loop: bool,
    pub liveness_path: Option<String>,
    /// Whether JavaScript answers what no route matches. Its route is one more than there are.
    pub takes_unmatched: Option<bool>,
    /// PEM.
    pub key: Option<Buffer>,
    /// PEM.
    pub cert: Option<Buffer>,
    /// PEM: of those whose clients are let in.
    pub ca: Option<Buffer>,
}

/// Numbers are those that `lib/options.ts` lets pass. Saturating: `Infinity` is the largest there is.
pub(super) fn config_of(options: &BindingOptions, routes: Vec<RouteConfig>) -> Config {
    let default = Config::default();
    let timeout = |option: Option<f64>, default: Option<Duration>| match option {
        None => default,
        Some(0.0) => None,
        Some(milliseconds) => Some(Duration::from_millis(milliseconds as u64)),
    };
    let limit = |option: Option<f64>, default| option.map_or(default, |limit| limit as usize);
    Config {
        body_limit: limit(options.body_limit, default.body_limit),
        max_header_size: limit(options.max_header_size, default.max_header_size),
        max_headers_count: limit(options.max_headers_count, default.max_headers_count),
        max_url_length: limit(options.max_url_length, default.max_url_length),
        max_connections: options.max_connections.map(|limit| limit as usize),
        max_concurrent_requests: options.max_concurrent_requests.map(|limit| limit as usize),
        headers_timeout: timeout(options.headers_timeout, default.headers_timeout),
        request_timeout: timeout(options.request_timeout, default.request_timeout),
        keep_alive_timeout: timeout(options.keep_alive_timeout, default.keep_alive_timeout),
        write_timeout: timeout(options.write_timeout, default.write_timeout),
        liveness_path: options.liveness_path.clone(),
        unmatched: (options.takes_unmatched == Some(true))
            .then(|| RouteId::new(routes.len() as u32)),
        routes,
    }
}
