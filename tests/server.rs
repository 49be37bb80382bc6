//! The core over real sockets, with a closure as handler and no Node in sight.

mod support;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use support::Running;
use tokio::sync::mpsc;
use wapix::{BodySender, Config, Exchange, Head, Observer, Request, Response};

fn echo(request: Request, exchange: Exchange) {
    let line = format!(
        "{} {} {:?}",
        request.route.get(),
        request.path(),
        String::from_utf8_lossy(&request.body)
    );
    exchange.respond(Response::text(line));
}

#[tokio::test]
async fn a_closure_answers_a_matched_request() {
    let server = Running::start(&[("GET", "/users/:id"), ("POST", "/users")], echo).await;
    let mut client = server.connect().await;

    let answer = client
        .request("GET /users/caf%C3%A9 HTTP/1.1\r\nHost: x\r\n\r\n")
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text(), "0 /users/café \"\"");

    // The connection is kept.
    let post = "POST /users HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(client.request(post).await.text(), "1 /users \"hello\"");
}

#[tokio::test]
async fn what_needs_no_handler_is_answered_without_one() {
    let unused = |_: Request, _: Exchange| unreachable!("no route was matched");
    let server = Running::start(&[("GET", "/a"), ("POST", "/a")], unused).await;
    let mut client = server.connect().await;

    let missing = client.request("GET /b HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(
        (missing.status, missing.text()),
        (404, r#"{"error":"Not Found"}"#)
    );

    let refused = client.request("PUT /a HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(refused.status, 405);
    assert_eq!(refused.header("allow"), Some("GET, HEAD, POST, OPTIONS"));

    let options = client
        .request("OPTIONS /a HTTP/1.1\r\nHost: x\r\n\r\n")
        .await;
    assert_eq!(options.status, 204);
    assert_eq!(options.header("allow"), Some("GET, HEAD, POST, OPTIONS"));

    let malformed = client.request("GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(malformed.status, 400);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = Running::start(&[("GET", "/:n")], echo).await;
    let mut client = server.connect().await;
    let requests: String = (0..20)
        .map(|n| format!("GET /{n} HTTP/1.1\r\nHost: x\r\n\r\n"))
        .collect();
    client.send(requests.as_bytes()).await;
    for n in 0..20 {
        assert_eq!(client.answer().await.text(), format!("0 /{n} \"\""));
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_announced_or_not() {
    let config = Config { body_limit: 10 };
    let server = Running::start_with(config, &[("POST", "/")], echo).await;

    let announced = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello world";
    let answer = server.connect().await.request(announced).await;
    assert_eq!(
        (answer.status, answer.header("connection")),
        (413, Some("close"))
    );

    let chunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
                   6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n";
    assert_eq!(server.connect().await.request(chunked).await.status, 413);

    let allowed = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhelloworld";
    assert_eq!(server.connect().await.request(allowed).await.status, 200);
}

#[tokio::test]
async fn an_early_answer_reaches_a_client_that_sends_on() {
    let config = Config { body_limit: 10 };
    let server = Running::start_with(config, &[("POST", "/")], echo).await;
    let mut client = server.connect().await;
    let length = 4 << 20;
    let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
    client.send(head.as_bytes()).await;
    client.send(&vec![b'x'; length]).await;
    assert_eq!(client.answer().await.status, 413);
}

#[tokio::test]
async fn a_malformed_request_is_400_and_the_connection_closes() {
    let server = Running::start(&[("GET", "/")], echo).await;
    let mut client = server.connect().await;
    client
        .send(b"GET / HTTP/1.1\r\nno colon here\r\n\r\n")
        .await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 400);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn what_came_before_a_malformed_request_is_answered() {
    let server = Running::start(&[("GET", "/:n")], echo).await;
    let mut client = server.connect().await;
    client
        .send(b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGARBAGE\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.text(), "0 /1 \"\"");
    assert_eq!(client.answer().await.status, 400);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn an_exchange_dropped_or_a_handler_that_panics_is_500_and_the_server_lives() {
    let server = Running::start(
        &[("GET", "/drop"), ("GET", "/panic")],
        |request: Request, _| {
            assert_eq!(request.route.get(), 0, "a panic on purpose");
        },
    )
    .await;
    let mut client = server.connect().await;
    for path in ["/panic", "/drop", "/panic"] {
        let answer = client
            .request(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"))
            .await;
        assert_eq!(answer.status, 500, "{path}");
        assert_eq!(answer.text(), r#"{"error":"Internal Server Error"}"#);
    }
}

/// What an exchange told of itself.
#[derive(Debug, PartialEq)]
enum Told {
    Cancelled(u64),
    Consumed(u64),
    Completed(u64),
}

struct Teller(mpsc::UnboundedSender<Told>);

impl Observer for Teller {
    fn cancelled(&self, token: u64) {
        let _ = self.0.send(Told::Cancelled(token));
    }

    fn consumed(&self, token: u64, bytes: usize) {
        let _ = self.0.send(Told::Consumed(token.max(bytes as u64)));
    }

    fn completed(&self, token: u64) {
        let _ = self.0.send(Told::Completed(token));
    }
}

fn head(length: Option<usize>) -> Head {
    let mut headers = HeaderMap::new();
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    Head {
        status: StatusCode::OK,
        headers,
    }
}

/// A server whose one route streams, and what the test needs to play its source.
async fn streaming(
    length: Option<usize>,
) -> (
    Running,
    mpsc::UnboundedReceiver<BodySender>,
    mpsc::UnboundedReceiver<Told>,
) {
    let (senders, sender) = mpsc::unbounded_channel();
    let (tell, told) = mpsc::unbounded_channel();
    let observer: Arc<dyn Observer> = Arc::new(Teller(tell));
    let server = Running::start(&[("GET", "/")], move |_: Request, exchange: Exchange| {
        exchange.observe(Arc::clone(&observer), 7);
        let _ = senders.send(exchange.stream(head(length)));
    })
    .await;
    (server, sender, told)
}

const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn a_stream_arrives_chunk_by_chunk_and_completes() {
    let (server, mut senders, mut told) = streaming(None).await;
    let mut client = server.connect().await;
    client.send(GET.as_bytes()).await;
    let sender = senders.recv().await.unwrap();
    sender.send(Bytes::from_static(b"one"));
    let head = client.head().await;
    assert_eq!(head.header("transfer-encoding"), Some("chunked"));
    assert_eq!(client.chunk().await, b"one");
    sender.send_slice(b"");
    sender.send_slice(b"two");
    assert_eq!(client.chunk().await, b"two");
    sender.end();
    assert_eq!(client.chunk().await, b"");
    assert_eq!(told.recv().await, Some(Told::Completed(7)));
}

#[tokio::test]
async fn a_client_that_leaves_a_silent_stream_cancels_it() {
    let (server, mut senders, mut told) = streaming(None).await;
    for reset in [false, true] {
        let mut client = server.connect().await;
        client.send(GET.as_bytes()).await;
        let sender = senders.recv().await.unwrap();
        sender.send_slice(b"first");
        client.head().await;
        if reset {
            client.reset()
        } else {
            drop(client)
        }
        assert_eq!(told.recv().await, Some(Told::Cancelled(7)));
        // Sending to nobody is no error.
        sender.send_slice(b"late");
        sender.end();
    }
}

#[tokio::test]
async fn a_client_that_leaves_behind_a_pipelined_request_cancels_it() {
    let (server, mut senders, mut told) = streaming(None).await;
    let mut client = server.connect().await;
    client.send([GET, GET].concat().as_bytes()).await;
    let sender = senders.recv().await.unwrap();
    sender.send_slice(b"first");
    client.head().await;
    drop(client);
    assert_eq!(told.recv().await, Some(Told::Cancelled(7)));
}

#[tokio::test]
async fn a_pipelined_request_read_ahead_is_answered_in_its_turn() {
    let (server, mut senders, mut told) = streaming(None).await;
    let mut client = server.connect().await;
    client.send(GET.as_bytes()).await;
    let first = senders.recv().await.unwrap();
    first.send_slice(b"first");
    client.head().await;
    // Far more than hyper reads at a time.
    let pipelined = GET.repeat(500);
    client.send(pipelined.as_bytes()).await;
    first.end();
    assert_eq!(client.chunk().await, b"first");
    assert_eq!(client.chunk().await, b"");
    for _ in 0..500 {
        senders.recv().await.unwrap().end();
        assert_eq!(client.head().await.status, 200);
        assert_eq!(told.recv().await, Some(Told::Completed(7)));
    }
}

#[tokio::test]
async fn http_1_0_content_ends_with_the_connection_and_with_a_reset_where_it_fails() {
    let (server, mut senders, _told) = streaming(None).await;
    for failing in [false, true] {
        let mut client = server.connect().await;
        client.send(b"GET / HTTP/1.0\r\n\r\n").await;
        let sender = senders.recv().await.unwrap();
        sender.send_slice(b"content");
        let head = client.head().await;
        assert_eq!(head.header("transfer-encoding"), None);
        assert_eq!(client.bytes(7).await, b"content");
        if failing {
            sender.fail()
        } else {
            sender.end()
        }
        assert_eq!(client.is_reset().await, failing);
    }
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_cancels_the_exchange() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let observer: Arc<dyn Observer> = Arc::new(Teller(tell));
    let (keep, mut kept) = mpsc::unbounded_channel();
    let server = Running::start(&[("GET", "/")], move |_: Request, exchange: Exchange| {
        exchange.observe(Arc::clone(&observer), 3);
        let _ = keep.send(exchange);
    })
    .await;
    let mut client = server.connect().await;
    client.send(GET.as_bytes()).await;
    let exchange = kept.recv().await.unwrap();
    drop(client);
    assert_eq!(told.recv().await, Some(Told::Cancelled(3)));
    exchange.respond(Response::text("to nobody"));
}

#[tokio::test]
async fn a_failed_stream_never_looks_complete() {
    let (server, mut senders, _told) = streaming(None).await;
    // Before the headers have left: 500.
    let mut client = server.connect().await;
    client.send(GET.as_bytes()).await;
    senders.recv().await.unwrap().fail();
    assert_eq!(client.answer().await.status, 500);

    // After: no final chunk.
    let mut client = server.connect().await;
    client.send(GET.as_bytes()).await;
    let sender = senders.recv().await.unwrap();
    sender.send_slice(b"part");
    assert_eq!(client.head().await.status, 200);
    assert_eq!(client.chunk().await, b"part");
    drop(sender);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_content_length_that_the_stream_misses_closes_the_connection() {
    for content in [&b"short"[..], b"much too long"] {
        let (server, mut senders, _told) = streaming(Some(8)).await;
        let mut client = server.connect().await;
        client.send(GET.as_bytes()).await;
        let sender = senders.recv().await.unwrap();
        sender.send_slice(content);
        sender.end();
        let received = client.rest().await;
        let received = String::from_utf8_lossy(&received);
        let content = received
            .split_once("\r\n\r\n")
            .map_or("", |(_, content)| content);
        assert!(content.len() < 8, "{received:?} looks complete");
    }
}

#[tokio::test]
async fn content_beyond_its_length_is_noticed_even_behind_the_last_byte() {
    let (server, mut senders, _told) = streaming(Some(5)).await;
    let mut client = server.connect().await;
    client.send(GET.as_bytes()).await;
    let sender = senders.recv().await.unwrap();
    sender.send(Bytes::from_static(b"hel"));
    client.head().await;
    assert_eq!(client.bytes(3).await, b"hel");
    sender.send(Bytes::from_static(b"lo"));
    sender.send(Bytes::from_static(b"!"));
    sender.end();
    assert!(
        client.is_closed().await,
        "the last chunk must not have left"
    );
}

#[tokio::test]
async fn a_content_length_fulfilled_completes_without_an_end() {
    let (server, mut senders, mut told) = streaming(Some(5)).await;
    let mut client = server.connect().await;
    client.send(GET.as_bytes()).await;
    let sender = senders.recv().await.unwrap();
    sender.send_slice(b"hello");
    assert_eq!(client.answer().await.text(), "hello");
    assert_eq!(told.recv().await, Some(Told::Completed(7)));
    drop(sender);
    client.send(GET.as_bytes()).await;
    assert!(senders.recv().await.is_some(), "the connection is kept");
}

#[tokio::test]
async fn room_is_reported_only_as_the_client_takes_data() {
    let (server, mut senders, mut told) = streaming(None).await;
    let mut client = server.connect().await;
    client.send(GET.as_bytes()).await;
    let sender = senders.recv().await.unwrap();
    let chunk = Bytes::from(vec![b'x'; 64 * 1024]);
    // More than any socket buffer holds.
    let total = 64 << 20;
    for _ in 0..total / chunk.len() {
        sender.send(chunk.clone());
    }
    sender.end();
    client.head().await;
    let consumed_early = Arc::new(Mutex::new(0));
    // The client takes nothing yet: what the kernel's buffers hold is reported, and no more.
    loop {
        let quiet = tokio::time::timeout(std::time::Duration::from_millis(300), told.recv());
        match quiet.await {
            Ok(Some(Told::Consumed(bytes))) => *consumed_early.lock().unwrap() += bytes,
            Ok(other) => panic!("{other:?}"),
            Err(_) => break,
        }
    }
    let early = *consumed_early.lock().unwrap();
    assert!(
        early < total as u64 / 2,
        "{early} bytes were taken by nobody"
    );
    let mut received = 0;
    loop {
        let chunk = client.chunk().await;
        if chunk.is_empty() {
            break;
        }
        received += chunk.len();
    }
    assert_eq!(received, total);
}

#[tokio::test]
async fn a_graceful_shutdown_answers_what_is_in_flight_and_frees_the_port() {
    let (keep, mut kept) = mpsc::unbounded_channel();
    let server = Running::start(&[("GET", "/")], move |_: Request, exchange: Exchange| {
        let _ = keep.send(exchange);
    })
    .await;
    let mut idle = server.connect().await;
    let mut busy = server.connect().await;
    busy.send(GET.as_bytes()).await;
    let exchange = kept.recv().await.unwrap();
    server.shutdown.graceful(std::time::Duration::from_secs(60));
    assert!(
        idle.is_closed().await,
        "an idle connection does not hold the shutdown up"
    );
    exchange.respond(Response::text("finished"));
    let answer = busy.answer().await;
    assert_eq!((answer.status, answer.text()), (200, "finished"));
    server.ended().await;
}

#[tokio::test]
async fn a_shutdown_ends_what_outlives_its_deadline() {
    let (server, mut senders, mut told) = streaming(None).await;
    let mut client = server.connect().await;
    client.send(GET.as_bytes()).await;
    let sender = senders.recv().await.unwrap();
    sender.send_slice(b"endless");
    client.head().await;
    server.shutdown.graceful(std::time::Duration::ZERO);
    assert_eq!(told.recv().await, Some(Told::Cancelled(7)));
    server.ended().await;
}
