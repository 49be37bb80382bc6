//! The hot path, to be counted in instructions: sixteen connections ask for JSON, again and again.
//!
//! All of it is one thread, so that two runs do the same: the clients, the server, and a JavaScript
//! that answers what the bridge hands it. What is served is the first argument:
//!
//! - `wapix`: reactor, connection, router, service and bridge, as the addon has them in Node's loop, each request with
//!   other header fields than the one before it;
//! - `repeated`: the same, each request with those of the one before it;
//! - `hyper`: the same answer by a bare hyper service;
//! - `socket`: the same bytes by nobody who reads them: what clients, runtime and sockets cost.
//!
//! The second argument is how often each connection asks. `scripts/instructions.mjs` counts.

#[cfg(unix)]
#[path = "instructions/in_loop.rs"]
mod in_loop;

use std::{convert::Infallible, env, net::SocketAddr};

use bytes::Bytes;
use http::header;
use http_body_util::Full;
use hyper::{Response, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

#[cfg(unix)]
use self::in_loop::serve as serve_wapix;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const CONNECTIONS: usize = 16;

const REQUEST: &[u8] = b"GET /users/42?fields=name HTTP/1.1\r\n\
    Host: example.org\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0\r\n\
    Accept: application/json\r\n\
    Accept-Encoding: gzip, deflate, br\r\n\
    Authorization: Bearer 0123456789abcdef0123456789abcdef\r\n\
    Connection: keep-alive\r\n\r\n";

/// The same with another value, of the same length.
const OTHER: &[u8] = b"GET /users/42?fields=name HTTP/1.1\r\n\
    Host: example.org\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0\r\n\
    Accept: application/json\r\n\
    Accept-Encoding: gzip, deflate, br\r\n\
    Authorization: Bearer fedcba9876543210fedcba9876543210\r\n\
    Connection: keep-alive\r\n\r\n";

const CONTENT: &str = r#"{"id":"42","name":"A user with a name"}"#;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let words = env::args().skip(1).collect::<Vec<_>>();
    // Nothing to count.
    let [server, rounds] = &words[..] else {
        return Ok(());
    };
    let rounds = rounds.parse::<usize>()?;
    let address = match server.as_str() {
        "wapix" | "repeated" => serve_wapix()?,
        "hyper" => serve_hyper().await?,
        "socket" => serve_socket().await?,
        other => return Err(format!("no server is called {other}").into()),
    };
    let requests = match server.as_str() {
        "repeated" => [REQUEST, REQUEST],
        _ => [REQUEST, OTHER],
    };
    let clients = (0..CONNECTIONS).map(|_| tokio::spawn(ask(address, requests, rounds)));
    for client in clients.collect::<Vec<_>>() {
        client.await??;
    }
    Ok(())
}

/// One connection: asks, with both requests in turn, and waits for the answer, `rounds` times.
async fn ask(address: SocketAddr, requests: [&[u8]; 2], rounds: usize) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut answer = Vec::with_capacity(1024);
    for round in 0..rounds {
        stream.write_all(requests[round % 2]).await?;
        answer.clear();
        while !answer.ends_with(CONTENT.as_bytes()) {
            if stream.read_buf(&mut answer).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
    Ok(())
}

#[cfg(not(unix))]
fn serve_wapix() -> Outcome<SocketAddr> {
    Err("Node's loop watches descriptors on Unix only".into())
}

async fn serve_hyper() -> Outcome<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let service = service_fn(async |_| {
                    let response = Response::builder()
                        .header(header::CONTENT_TYPE, "application/json")
                        .body(Full::new(Bytes::from_static(CONTENT.as_bytes())));
                    Ok::<_, Infallible>(response.unwrap_or_default())
                });
                // The client leaves in the end.
                let _ = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    Ok(address)
}

async fn serve_socket() -> Outcome<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         date: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n{CONTENT}",
        CONTENT.len()
    );
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = [0; REQUEST.len()];
                while stream.read_exact(&mut request).await.is_ok() {
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok(address)
}
