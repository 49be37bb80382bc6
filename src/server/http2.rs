//! A connection that speaks HTTP/2: many requests at a time, each a stream of its own.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, atomic::Ordering},
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, header};
use http_body::Body;
use hyper::{server::conn::http2, service::service_fn};
use hyper_util::rt::TokioTimer;
use tokio::time::timeout;

use super::{
    Shutdown, Unaware,
    cork::Corked,
    http2_stream::{PacedBody, Streams},
    socket::Socket,
    timeouts::{Timeouts, WaitsFor},
};
use crate::{
    body::ResponseBody,
    config::{
        CONNECTION_BUFFER, HTTP2_CONNECTION_WINDOW, HTTP2_STREAM_WINDOW, HTTP2_STREAMS, LINGER,
        PING_INTERVAL, PING_TIMEOUT,
    },
    date::add_date,
    handler::{Handler, Peer},
    service::{ConnectionState, Progress, Service, is_event_stream},
};

/// Serves HTTP/2 until one side has had enough.
pub(super) async fn serve<H: Handler, S>(
    stream: Corked<S>,
    peer: Peer,
    service: Arc<Service<H>>,
    shutdown: &Shutdown,
    mut unaware: Unaware,
) where
    S: Socket + 'static,
{
    let state = Arc::new(ConnectionState::new(peer, None));
    let streams = Streams::new(Arc::clone(&service), Arc::clone(&state), shutdown);
    let respond = {
        let (service, state, streams) = (Arc::clone(&service), Arc::clone(&state), streams.clone());
        service_fn(move |request| {
            let (service, state, pace) =
                (Arc::clone(&service), Arc::clone(&state), streams.begin());
            async move {
                let is_head = request.method() == Method::HEAD;
                let mut response = service.respond(&state, request).await?;
                add_date(response.headers_mut());
                let response = if is_head {
                    without_content(response)
                } else {
                    response
                };
                let is_events = is_event_stream(response.headers());
                Ok::<_, Infallible>(response.map(|body| PacedBody::new(body, pace, is_events)))
            }
        })
    };
    let config = &service.config;
    // A list counts 32 bytes more for each field than its text has (RFC 9113, 6.5.2).
    let header_list = config.max_headers_count.saturating_mul(32);
    let header_list = config.max_header_size.saturating_add(header_list);
    let mut connection = pin!(
        http2::Builder::new(streams)
            .timer(TokioTimer::new())
            .max_concurrent_streams(HTTP2_STREAMS)
            .initial_stream_window_size(HTTP2_STREAM_WINDOW)
            .initial_connection_window_size(HTTP2_CONNECTION_WINDOW)
            .max_header_list_size(u32::try_from(header_list).unwrap_or(u32::MAX))
            // What hyper takes of one stream beyond what the client has room for.
            .max_send_buf_size(CONNECTION_BUFFER)
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .serve_connection(stream.clone(), respond)
    );
    let mut started = pin!(shutdown.started());
    let mut draining = false;
    let mut timeouts = Timeouts::new();
    let outcome = poll_fn(|context| {
        loop {
            let waits_for = match state.progress() {
                // A request that crossed our farewell comes before the answer to it.
                Progress::None if draining && !stream.has_begun() => WaitsFor::Farewell,
                Progress::None => WaitsFor::ParkedRequest,
                Progress::Request | Progress::EventStream => WaitsFor::Server,
            };
            if state.has_begun.swap(false, Ordering::Relaxed) {
                timeouts.restart();
            }
            let is_over = timeouts
                .poll(waits_for, &service.config, context)
                .is_ready();
            if !draining && (is_over || started.as_mut().poll(context).is_ready()) {
                draining = true;
                unaware = None;
                timeouts.restart();
                stream.head_taken();
                connection.as_mut().graceful_shutdown();
                continue;
            }
            let served = connection.as_mut().poll(context);
            if let Poll::Ready(Err(_)) = stream.poll_uncork(context) {
                return Poll::Ready(Outcome::Gone);
            }
            return match served {
                Poll::Ready(Ok(())) => Poll::Ready(Outcome::Ended),
                Poll::Ready(Err(_)) => Poll::Ready(Outcome::Broken),
                // Told to go, it has not gone: nobody answers.
                Poll::Pending if is_over => Poll::Ready(Outcome::Broken),
                Poll::Pending => Poll::Pending,
            };
        }
    })
    .await;
    let end = async {
        match outcome {
            Outcome::Gone => return,
            Outcome::Ended => taken(&stream, service.config.write_timeout).await,
            Outcome::Broken => {}
        }
        let _ = timeout(LINGER, poll_fn(|context| stream.poll_end(context))).await;
    };
    shutdown.unless_expired(end).await;
}

/// How hyper left a connection.
enum Outcome {
    /// As both sides wanted: every stream has come to its end.
    Ended,
    /// The client broke the protocol, or is silent.
    Broken,
    /// Nothing can be sent any more.
    Gone,
}

/// Waits until the client, who has what it wants and will ask for no more, closes the connection. It
/// speaks while it takes the last response (PING, WINDOW_UPDATE): to a closed socket, and the reset
/// that follows would overtake what is on its way to it. Some drop what they have not read, too, when
/// the connection ends. Who speaks for longer than `limit` is not believed to take anything.
async fn taken<S: Socket>(stream: &Corked<S>, limit: Option<Duration>) {
    let read = || poll_fn(|context| stream.poll_discard(context));
    let speaks = async { while let Ok(Ok(1..)) = timeout(LINGER, read()).await {} };
    match limit {
        Some(limit) => timeout(limit, speaks).await.unwrap_or_default(),
        None => speaks.await,
    }
}

/// The answer to HEAD. Over HTTP/1 hyper leaves the content out by itself.
fn without_content(mut response: http::Response<ResponseBody>) -> http::Response<ResponseBody> {
    if let Some(length) = response.body().size_hint().exact()
        && length > 0
    {
        let headers = response.headers_mut();
        headers
            .entry(header::CONTENT_LENGTH)
            .or_insert_with(|| HeaderValue::from(length));
    }
    *response.body_mut() = ResponseBody::Full(Bytes::new());
    response
}
