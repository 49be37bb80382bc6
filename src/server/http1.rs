//! A connection that speaks HTTP/1.

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::atomic::Ordering,
    task::Poll,
};

use hyper::{server::conn::http1, service::service_fn};
use tokio::time::timeout;

use super::{
    Shutdown, Unaware,
    cork::{Corked, HeldUp},
    socket::Socket,
    timeouts::{Timeouts, WaitsFor},
};
use crate::{
    body::StreamBody,
    config::{CONNECTION_BUFFER, Config, LINGER, MOST_HEADERS},
    handler::{Handler, Peer},
    service::{ConnectionState, Progress, Service},
};

/// How many header fields hyper takes where it is told nothing.
const HYPER_HEADERS: usize = 100;

/// Serves HTTP/1.0 and HTTP/1.1: requests one after the other, until one side has had enough.
pub(super) async fn serve<H: Handler, S>(
    stream: Corked<S>,
    peer: Peer,
    service: &Service<H>,
    shutdown: &Shutdown,
    mut unaware: Unaware,
) where
    S: Socket + 'static,
{
    let state = ConnectionState::new(peer, Some(stream.passage()));
    // The connection ends with the request in progress.
    let mut draining = false;
    let outcome = {
        let connect = || {
            let respond = service_fn(|request| {
                stream.head_taken();
                service.respond(&state, request)
            });
            Box::new(builder(&service.config).serve_connection(stream.clone(), respond))
        };
        // One or the other.
        let mut connection = Some(connect());
        let mut parked = None;
        // What is left of a response, where that is all.
        let mut events: Option<Box<StreamBody>> = None;
        let mut started = pin!(shutdown.started());
        let mut waits = false;
        let mut stopping = false;
        let mut timeouts = Timeouts::new();
        poll_fn(|context| {
            // Asked once, it wakes this task when there is an answer.
            if !waits || (!stopping && shutdown.has_started()) {
                stopping = started.as_mut().poll(context).is_ready();
                waits = true;
            }
            loop {
                if let Some(body) = &mut events {
                    if stopping && shutdown.is_succeeded() {
                        return Poll::Ready(Outcome::Gone);
                    }
                    return match stream.poll_events(body, context) {
                        Poll::Ready(Ok(true)) => Poll::Ready(Outcome::Ended),
                        Poll::Ready(Ok(false)) => Poll::Ready(Outcome::Broken),
                        Poll::Ready(Err(_)) => Poll::Ready(Outcome::Gone),
                        Poll::Pending => stream.poll_left(context).map(|()| Outcome::Gone),
                    };
                }
                let Some(serving) = &mut connection else {
                    if stopping && stream.can_leave(shutdown) {
                        return Poll::Ready(Outcome::Idle);
                    }
                    match stream.poll_ahead(context) {
                        Poll::Ready(Ok(true)) => {}
                        Poll::Ready(Ok(false)) => return Poll::Ready(Outcome::Ended),
                        Poll::Ready(Err(_)) => return Poll::Ready(Outcome::Gone),
                        Poll::Pending if stopping && !stream.has_begun() => {
                            return Poll::Ready(Outcome::Ended);
                        }
                        Poll::Pending if stopping => {}
                        Poll::Pending => {
                            let waits_for = WaitsFor::ParkedRequest;
                            return timeouts
                                .poll(waits_for, &service.config, context)
                                .map(|()| Outcome::TimedOut(waits_for));
                        }
                    }
                    parked = None;
                    connection = Some(connect());
                    continue;
                };
                stream.begin();
                let served = Pin::new(&mut **serving).poll(context);
                if let Poll::Ready(Err(_)) = stream.poll_uncork(context) {
                    return Poll::Ready(Outcome::Gone);
                }
                if served.is_pending()
                    && !state.answered_early.load(Ordering::Relaxed)
                    && let Some(body) = stream.take_over()
                {
                    connection = None;
                    parked = Some(service.parking.park());
                    events = Some(Box::new(body));
                    continue;
                }
                let progress = state.progress();
                let waits_for = waits_for(&stream, &progress);
                if timeouts
                    .poll(waits_for, &service.config, context)
                    .is_ready()
                {
                    if !waits_for.is_to_park(&service.config) {
                        return Poll::Ready(Outcome::TimedOut(waits_for));
                    }
                    if served.is_pending()
                        && !stopping
                        && let Some(serving) = connection.take()
                    {
                        stream.park(&serving.into_parts().read_buf);
                        parked = Some(service.parking.park());
                        continue;
                    }
                }
                if stopping && shutdown.is_succeeded() && served.is_pending() {
                    if progress == Progress::EventStream {
                        return Poll::Ready(Outcome::Gone);
                    }
                    if waits_for == WaitsFor::Request
                        && stream.can_leave(shutdown)
                        && let Some(serving) = connection.take()
                    {
                        stream.park(&serving.into_parts().read_buf);
                        continue;
                    }
                    // It can go over when its request has been answered.
                    if progress != Progress::None {
                        unaware = None;
                    }
                }
                // Told so, hyper closes what is idle, and what has come of a request is lost with it:
                // that one is served first.
                if stopping
                    && !draining
                    && !stream.can_leave(shutdown)
                    && served.is_pending()
                    && (progress != Progress::None || !stream.has_begun())
                {
                    draining = true;
                    if let Some(serving) = &mut connection {
                        Pin::new(&mut **serving).graceful_shutdown();
                    }
                    continue;
                }
                return match served {
                    Poll::Ready(Ok(())) => Poll::Ready(Outcome::Ended),
                    Poll::Ready(Err(error)) if error.is_parse() => Poll::Ready(Outcome::Malformed),
                    Poll::Ready(Err(_)) => Poll::Ready(Outcome::Broken),
                    Poll::Pending => stream.poll_left(context).map(|()| Outcome::Gone),
                };
            }
        })
        .await
    };
    let linger = match outcome {
        Outcome::Idle if stream.leave(shutdown).await => return,
        Outcome::Gone | Outcome::TimedOut(WaitsFor::Request | WaitsFor::ParkedRequest) => return,
        // What is on its way goes nowhere, and must not look complete.
        Outcome::TimedOut(WaitsFor::Client(_)) => return stream.reset(),
        Outcome::TimedOut(_) => {
            stream.write_last(request_timeout().as_bytes());
            true
        }
        Outcome::Broken if state.close_delimited.load(Ordering::Relaxed) => {
            // The end of such a response is the end of the connection: only a reset says that it
            // is not whole.
            return stream.reset();
        }
        Outcome::Malformed => true,
        Outcome::Idle => false,
        Outcome::Ended | Outcome::Broken => {
            state.answered_early.load(Ordering::Relaxed) || (draining && stream.has_begun())
        }
    };
    let _ = shutdown
        .unless_expired(timeout(LINGER, end(&stream, linger)))
        .await;
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

/// How hyper left a connection.
enum Outcome {
    /// As both sides wanted.
    Ended,
    /// The client broke the protocol; it was told so.
    Malformed,
    /// A response could not be completed, or the client left in the middle.
    Broken,
    /// Nothing can be sent any more, or is to be.
    Gone,
    /// Nothing is in progress, and another process serves from now on.
    Idle,
    /// The client kept the connection waiting for too long.
    TimedOut(WaitsFor),
}

/// The answer to a head that does not come to its end (RFC 9110, 15.5.9).
fn request_timeout() -> String {
    let content = r#"{"error":"Request Timeout","message":"the head took too long"}"#;
    format!(
        "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{content}",
        content.len()
    )
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

/// Sends what is left to send and ends the sending side. With `linger`, takes what the client still
/// sends: closing a socket with unread data resets the connection, and the reset can overtake the
/// answer (RFC 9112, 9.6).
async fn end<S: Socket>(stream: &Corked<S>, linger: bool) -> io::Result<()> {
    poll_fn(|context| stream.poll_end(context)).await?;
    if linger {
        while poll_fn(|context| stream.poll_discard(context)).await? > 0 {}
    }
    Ok(())
}
