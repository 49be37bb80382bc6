//! One connection: handshake, and which HTTP is spoken over it.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use tokio::time::timeout;

use super::{
    Shutdown, Tls, Unaware,
    accept::{Accepted, Watched},
    cork::Corked,
    http1, http2,
    socket::Socket,
};
use crate::{
    config::{HANDSHAKE_TIMEOUT, LINGER},
    handler::{Handler, Peer},
    service::Service,
};

/// Serves one connection to its end.
pub(super) async fn serve<H: Handler>(
    accepted: Accepted,
    tls: Option<Tls>,
    service: Arc<Service<H>>,
    shutdown: Shutdown,
    unaware: Unaware,
) {
    // Failing is of this connection: the client has gone already.
    let Ok(Watched { socket, address }) = accepted.watch() else {
        return;
    };
    let peer = Peer::new(address, tls.is_some());
    match tls {
        None => serve_http(socket, peer, service, &shutdown, unaware).await,
        // Boxed: a connection without TLS need not carry the room for it along.
        Some(tls) => Box::pin(serve_https(socket, tls, peer, service, &shutdown, unaware)).await,
    }
}

/// Over cleartext a client that knows that HTTP/2 is spoken here says so first (RFC 9113, 3.3).
async fn serve_http<H: Handler, S>(
    stream: S,
    peer: Peer,
    service: Arc<Service<H>>,
    shutdown: &Shutdown,
    unaware: Unaware,
) where
    S: Socket + 'static,
{
    let stream = Corked::new(stream);
    match begins_as_http2(&stream, &service, shutdown).await {
        Some(true) => Box::pin(http2::serve(stream, peer, service, shutdown, unaware)).await,
        Some(false) => http1::serve(stream, peer, &service, shutdown, unaware).await,
        None => {}
    }
}

/// Waits for the first bytes of a connection: whether they are those of HTTP/2. `None` where it says
/// nothing, has left, or is silent while the server is to stop.
async fn begins_as_http2<H, S: Socket>(
    stream: &Corked<S>,
    service: &Service<H>,
    shutdown: &Shutdown,
) -> Option<bool> {
    let mut closing = pin!(shutdown.started_for_new());
    let mut started = pin!(shutdown.started());
    let (mut is_closing, mut has_started, mut leaves) = (false, false, false);
    let preface = poll_fn(|context| {
        if let Poll::Ready(preface) = stream.poll_preface(context) {
            return Poll::Ready(preface.ok());
        }
        has_started = has_started || started.as_mut().poll(context).is_ready();
        leaves = has_started && stream.can_leave(shutdown);
        if leaves {
            return Poll::Ready(None);
        }
        is_closing = is_closing || closing.as_mut().poll(context).is_ready();
        if is_closing && !stream.has_begun() {
            return Poll::Ready(None);
        }
        Poll::Pending
    });
    let begun = match service.config.keep_alive_timeout {
        Some(limit) => timeout(limit, preface).await.ok().flatten(),
        None => preface.await,
    };
    if leaves {
        stream.leave(shutdown).await;
    }
    begun
}

/// Over TLS both sides agree on the protocol in the handshake (ALPN, RFC 7301).
async fn serve_https<H: Handler, S>(
    stream: S,
    tls: Tls,
    peer: Peer,
    service: Arc<Service<H>>,
    shutdown: &Shutdown,
    unaware: Unaware,
) where
    S: Socket + 'static,
{
    // A failed or slow handshake is the client's affair: there is nobody to answer.
    let handshake = tokio::select! {
        biased;
        handshake = timeout(HANDSHAKE_TIMEOUT, tls.acceptor().accept(stream)) => handshake,
        () = shutdown.started_for_new() => return,
    };
    let Ok(Ok(stream)) = handshake else {
        return;
    };
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let stream = Corked::new(stream);
    let begun = begins_as_http2(&stream, &service, shutdown).await;
    if begun.is_none() {
        // With `close_notify`: to many clients the end of the socket alone is an error (RFC 8446, 6.1).
        let end = timeout(LINGER, poll_fn(|context| stream.poll_end(context)));
        let _ = shutdown.unless_expired(end).await;
        return;
    }
    if is_http2 {
        http2::serve(stream, peer, service, shutdown, unaware).await;
    } else {
        http1::serve(stream, peer, &service, shutdown, unaware).await;
    }
}
