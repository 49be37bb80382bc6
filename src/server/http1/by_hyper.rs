//! Requests that hyper reads, and whose answers it writes.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Mutex, PoisonError, atomic::Ordering},
    task::Poll,
};

use http::Version;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};

use super::{Connection, Outcome};
use crate::{
    body::StreamBody,
    config::{CONNECTION_BUFFER, Config, MOST_HEADERS},
    date::add_date,
    handler::Handler,
    request_head::asks_to_close,
    server::{
        Unaware,
        cork::{Corked, HeldUp},
        socket::Socket,
        timeouts::{Timeouts, WaitsFor},
    },
    service::{Begun, Progress, Service},
};

/// How many header fields hyper takes where it is told nothing.
const HYPER_HEADERS: usize = 100;

/// How hyper was let go of.
pub(super) enum Left {
    /// The connection has ended.
    Ended(Outcome),
    /// It has been idle for a while.
    Idle,
    /// It has answered a request that could have been answered without it.
    NotNeeded,
    /// A response is in progress of which this is left. The connection ends with it or `goes_on`.
    Events {
        body: Box<StreamBody>,
        goes_on: bool,
    },
}

/// Serves requests until it can be let go of. hyper is to read `begun` first, once more.
pub(super) async fn serve<H: Handler, S>(
    connection: &Connection<'_, H, S>,
    begun: VecDeque<Begun<'_>>,
    timeouts: &mut Timeouts,
    unaware: &mut Unaware,
) -> Left
where
    S: Socket + 'static,
{
    let Connection {
        stream,
        state,
        service,
        shutdown,
    } = *connection;
    let begun = Mutex::new(begun);
    let begun = || begun.lock().unwrap_or_else(PoisonError::into_inner);
    let respond = service_fn(|request: http::Request<Incoming>| {
        stream.head_taken();
        let is_of_1_0 = request.version() == Version::HTTP_10;
        let next = match begun().pop_front() {
            Some(next) => {
                // And said nothing of the connection.
                state.has_read(false);
                next
            }
            None => service.begin(state, request),
        };
        let answering = Service::<H>::go_on(state, next);
        async move {
            let mut response = answering.await?;
            add_date(response.headers_mut());
            // Of a response of HTTP/1.1 hyper tells a client that asks for it that the connection goes on.
            if is_of_1_0 && asks_to_close(response.headers()) {
                *response.version_mut() = Version::HTTP_10;
            }
            Ok::<_, Infallible>(response)
        }
    });
    let mut serving = Box::new(builder(&service.config).serve_connection(stream.clone(), respond));
    let mut started = pin!(shutdown.started());
    let mut waits = false;
    let mut stopping = false;
    // The connection ends with the request in progress.
    let mut draining = false;
    let mut unused = false;
    let mut resets = false;
    let left = poll_fn(|context| {
        // Asked once, it wakes this task when there is an answer.
        if !waits || (!stopping && shutdown.has_started()) {
            stopping = started.as_mut().poll(context).is_ready();
            waits = true;
        }
        loop {
            stream.begin();
            let served = Pin::new(&mut *serving).poll(context);
            if let Poll::Ready(Err(_)) = stream.poll_uncork(context) {
                return Poll::Ready(Left::Ended(Outcome::Gone));
            }
            // The end of such a response is the end of the connection: only a reset says that it is not whole.
            if !resets && state.close_delimited.load(Ordering::Relaxed) {
                stream.reset_on_close(true);
                resets = true;
            }
            if served.is_pending()
                && !state.answered_early.load(Ordering::Relaxed)
                && let Some((body, goes_on)) = stream.take_over(!stopping && begun().is_empty())
            {
                let body = Box::new(body);
                return Poll::Ready(Left::Events { body, goes_on });
            }
            let progress = state.progress();
            let waits_for = waits_for(stream, &progress);
            if waits_for == WaitsFor::Request
                && served.is_pending()
                && !stopping
                && state.was_plain.swap(false, Ordering::Relaxed)
                && begun().is_empty()
            {
                return Poll::Ready(Left::NotNeeded);
            }
            if state.has_begun.swap(false, Ordering::Relaxed) {
                timeouts.restart();
            }
            if timeouts
                .poll(waits_for, &service.config, context)
                .is_ready()
            {
                if !waits_for.is_to_park(&service.config) {
                    return Poll::Ready(Left::Ended(Outcome::TimedOut(waits_for)));
                }
                if served.is_pending() && !stopping {
                    return Poll::Ready(Left::Idle);
                }
            }
            if stopping && shutdown.is_succeeded() && served.is_pending() {
                if progress == Progress::EventStream {
                    return Poll::Ready(Left::Ended(Outcome::Gone));
                }
                let is_idle = waits_for == WaitsFor::Request && begun().is_empty();
                if is_idle && stream.can_leave(shutdown) {
                    return Poll::Ready(Left::Idle);
                }
                // It can go over when its request has been answered.
                if progress != Progress::None {
                    *unaware = None;
                }
            }
            // Told so, hyper closes what is idle, and what has come of a request is lost with it:
            // that one is served first, as are those that were begun.
            if stopping
                && !draining
                && begun().is_empty()
                && !stream.can_leave(shutdown)
                && served.is_pending()
                && (progress != Progress::None || !stream.has_begun())
            {
                draining = true;
                unused = progress == Progress::None;
                Pin::new(&mut *serving).graceful_shutdown();
                continue;
            }
            return match served {
                Poll::Ready(Ok(())) if unused => Poll::Ready(Left::Ended(Outcome::Unused)),
                Poll::Ready(Ok(())) => Poll::Ready(Left::Ended(Outcome::Ended)),
                Poll::Ready(Err(error)) if error.is_parse() => {
                    Poll::Ready(Left::Ended(Outcome::Malformed))
                }
                Poll::Ready(Err(_)) => Poll::Ready(Left::Ended(Outcome::Broken)),
                Poll::Pending => stream
                    .poll_left(context)
                    .map(|()| Left::Ended(Outcome::Gone)),
            };
        }
    })
    .await;
    if matches!(
        left,
        Left::Idle | Left::NotNeeded | Left::Events { goes_on: true, .. }
    ) {
        stream.unread(&serving.into_parts().read_buf);
    }
    if matches!(left, Left::Idle) {
        stream.park();
    }
    left
}

fn builder(config: &Config) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        // A client's FIN is its leaving: it must end a response nobody will read.
        .half_close(false)
        .header_read_timeout(None)
        .max_buf_size(config.max_header_size.max(CONNECTION_BUFFER));
    // Told of it, hyper makes room for them on the heap, request by request.
    if config.max_headers_count > HYPER_HEADERS {
        builder.max_headers(config.max_headers_count.min(MOST_HEADERS));
    }
    builder
}

/// What a connection that has been polled waits for.
fn waits_for<S: Socket>(stream: &Corked<S>, progress: &Progress) -> WaitsFor {
    let in_progress = *progress != Progress::None;
    match stream.held_up(in_progress) {
        HeldUp::Writing(taken) if *progress != Progress::EventStream => WaitsFor::Client(taken),
        HeldUp::Reading => WaitsFor::Head,
        HeldUp::Not if !in_progress => WaitsFor::Request,
        HeldUp::Writing(_) | HeldUp::Not => WaitsFor::Server,
    }
}
