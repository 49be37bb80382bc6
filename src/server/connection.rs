//! One connection: handshake, requests one after the other, close.

use std::{
    convert::Infallible,
    io,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use super::{Shutdown, Tls, listener::Accepted};
use crate::{
    config::{CONNECTION_BUFFER, HANDSHAKE_TIMEOUT, LINGER},
    handler::{Handler, Peer},
    service::{ConnectionState, Service},
};

/// Serves one connection to its end.
pub(super) async fn serve<H: Handler>(
    socket: Accepted,
    tls: Option<Tls>,
    service: Arc<Service<H>>,
    shutdown: Shutdown,
) {
    match socket {
        Accepted::Tcp(stream, address) => {
            let peer = Peer::new(Some(address), tls.is_some());
            secure(stream, tls, peer, &service, &shutdown).await;
        }
        #[cfg(unix)]
        Accepted::Unix(stream) => {
            let peer = Peer::new(None, tls.is_some());
            secure(stream, tls, peer, &service, &shutdown).await;
        }
    }
}

async fn secure<H: Handler, S>(
    stream: S,
    tls: Option<Tls>,
    peer: Peer,
    service: &Service<H>,
    shutdown: &Shutdown,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Some(tls) = tls else {
        return serve_http1(stream, peer, service, shutdown).await;
    };
    // A failed or slow handshake is the client's affair: there is nobody to answer.
    let handshake = timeout(HANDSHAKE_TIMEOUT, tls.acceptor.accept(stream));
    if let Some(Ok(Ok(stream))) = shutdown.unless_started(handshake).await {
        serve_http1(stream, peer, service, shutdown).await;
    }
}

async fn serve_http1<H: Handler, S>(
    mut stream: S,
    peer: Peer,
    service: &Service<H>,
    shutdown: &Shutdown,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let state = ConnectionState {
        peer: Arc::new(peer),
        answered_early: AtomicBool::new(false),
    };
    let outcome = {
        let respond = service_fn(|request| async {
            Ok::<_, Infallible>(service.respond(&state, request).await)
        });
        let mut connection = pin!(
            http1::Builder::new()
                .pipeline_flush(true)
                // A client's FIN is its leaving: it must end a response nobody will read.
                .half_close(false)
                .header_read_timeout(None)
                .max_buf_size(CONNECTION_BUFFER)
                .serve_connection(TokioIo::new(&mut stream), respond)
        );
        match shutdown.unless_started(connection.as_mut()).await {
            Some(outcome) => outcome,
            None => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    };
    let malformed = outcome.is_err_and(|error| error.is_parse());
    if malformed || state.answered_early.load(Ordering::Relaxed) {
        let _ = shutdown
            .unless_started(timeout(LINGER, discard(stream)))
            .await;
    }
}

/// Takes what the client still sends: closing a socket with unread data resets the connection, and
/// the reset can overtake the answer (RFC 9112, 9.6).
async fn discard<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> io::Result<()> {
    // After an error hyper leaves the sending side open.
    stream.shutdown().await?;
    let mut discarded = [0; 4096];
    while stream.read(&mut discarded).await? > 0 {}
    Ok(())
}
