//! A connection that speaks HTTP/1.
//!
//! Requests that have come whole are read and answered without hyper (`whole`). For all else there is hyper
//! (`by_hyper`), which goes on in the middle of what was begun; after a while without a request it is let go of,
//! and where nothing is left but events (`events`).

mod answer;
mod by_hyper;
mod events;
mod past_task;
mod whole;

use std::{future::poll_fn, io, sync::atomic::Ordering};

use tokio::time::timeout;

use self::by_hyper::Left;
use super::{
    Shutdown, Unaware,
    cork::Corked,
    socket::Socket,
    timeouts::{Timeouts, WaitsFor},
};
use crate::{
    config::LINGER,
    handler::{Handler, Peer},
    service::{ConnectionState, Service},
};

/// What both ways of serving a connection have to do with.
struct Connection<'a, H, S> {
    stream: &'a Corked<S>,
    state: &'a ConnectionState,
    service: &'a Service<H>,
    shutdown: &'a Shutdown,
}

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
    let connection = Connection {
        stream: &stream,
        state: &state,
        service,
        shutdown,
    };
    let mut timeouts = Timeouts::new();
    let mut parked = None;
    let outcome = loop {
        let begun = match whole::serve(&connection, &mut timeouts, parked.take()).await {
            Ok(begun) => begun,
            Err(outcome) => break outcome,
        };
        let left = by_hyper::serve(&connection, begun, &mut timeouts, &mut unaware).await;
        match left {
            Left::Ended(outcome) => break outcome,
            Left::Idle => parked = Some(service.parking.park()),
            Left::NotNeeded => {}
            Left::Events { body, goes_on } => {
                let _parked = service.parking.park();
                match events::serve(&connection, body, goes_on).await {
                    Outcome::Ended if goes_on => timeouts.restart(),
                    outcome => break outcome,
                }
            }
        }
    };
    if matches!(outcome, Outcome::Ended) && state.close_delimited.load(Ordering::Relaxed) {
        stream.reset_on_close(false);
    }
    let linger = match outcome {
        Outcome::Idle if stream.leave(shutdown).await => return,
        Outcome::Gone => return,
        // What is on its way goes nowhere, and must not look complete.
        Outcome::TimedOut(WaitsFor::Client(_)) => return stream.reset_on_close(true),
        Outcome::Idle
        | Outcome::Unused
        | Outcome::TimedOut(WaitsFor::Request | WaitsFor::ParkedRequest) => false,
        Outcome::TimedOut(_) => {
            stream.write_last(request_timeout().as_bytes());
            true
        }
        Outcome::Broken if state.close_delimited.load(Ordering::Relaxed) => return,
        Outcome::Malformed | Outcome::Ended | Outcome::Broken => true,
    };
    let _ = shutdown
        .unless_expired(timeout(LINGER, end(&stream, linger)))
        .await;
}

/// How a connection was left.
enum Outcome {
    /// As both sides wanted.
    Ended,
    /// The client broke the protocol; it was told so.
    Malformed,
    /// A response could not be completed, or the client left in the middle.
    Broken,
    /// Nothing is in progress, and the server closes.
    Unused,
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

/// Sends what is left to send and ends the sending side. With `linger`, takes what the client still
/// sends until it ends, too: to what comes for a closed socket, or is unread in it, the answer is a reset, which
/// can overtake a response (RFC 9112, 9.6).
async fn end<S: Socket>(stream: &Corked<S>, linger: bool) -> io::Result<()> {
    poll_fn(|context| stream.poll_end(context)).await?;
    if linger {
        while poll_fn(|context| stream.poll_discard(context)).await? > 0 {}
    }
    Ok(())
}
