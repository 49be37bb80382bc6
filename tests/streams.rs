//! Streamed responses over real sockets, with a closure as handler.

mod support;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use support::{GET, Running};
use tokio::sync::mpsc;
use wapix::{BodySender, Exchange, Head, Observer, Request, Response};

/// What an exchange told of itself.
#[derive(Debug, PartialEq)]
enum Told {
    Cancelled(u64),
    Consumed(u64),
    Drained(u64),
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

    fn drained(&self, token: u64) {
        let _ = self.0.send(Told::Drained(token));
    }

    fn file_failed(&self, _: u64, _: Option<i32>) {}

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
        awaits_content: false,
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
async fn a_client_that_leaves_behind_more_than_is_read_cancels_its_request() {
    let (server, mut senders, mut told) = streaming(None).await;
    for reset in [false, true] {
        let mut client = server.connect().await;
        client.send(GET.as_bytes()).await;
        let sender = senders.recv().await.unwrap();
        sender.send_slice(b"first");
        client.head().await;
        client.send(GET.repeat(2_000).as_bytes()).await;
        // The server reads what it reads of them before it hears of a later client.
        let mut later = server.connect().await;
        later.send(GET.as_bytes()).await;
        let _later = senders.recv().await.unwrap();
        if reset {
            client.reset();
        } else {
            drop(client);
        }
        assert_eq!(told.recv().await, Some(Told::Cancelled(7)), "{reset}");
    }
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
