//! Large chunks written past hyper, over real sockets.

mod support;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use support::{Client, GET, Running};
use tokio::sync::mpsc;
use wapix::{BodySender, Direct, Exchange, Head, Observer, Request};

const CHUNK: usize = 256 * 1024;

/// Tells of drained sockets.
struct Teller(mpsc::UnboundedSender<u64>);

impl Observer for Teller {
    fn cancelled(&self, _: u64) {}
    fn consumed(&self, _: u64, _: usize) {}
    fn drained(&self, token: u64) {
        let _ = self.0.send(token);
    }
    fn file_failed(&self, _: u64, _: Option<i32>) {}
    fn completed(&self, _: u64) {}
}

/// A response whose first chunk, of three bytes, has arrived: nothing of it is on its way.
async fn begun(
    request: &str,
    length: Option<u64>,
) -> (Running, Client, BodySender, mpsc::UnboundedReceiver<u64>) {
    let (senders, mut sender_of) = mpsc::unbounded_channel();
    let (tell, drained) = mpsc::unbounded_channel();
    let observer: Arc<dyn Observer> = Arc::new(Teller(tell));
    let server = Running::start(&[("GET", "/")], move |_: Request, exchange: Exchange| {
        exchange.observe(Arc::clone(&observer), 7);
        let mut headers = HeaderMap::new();
        if let Some(length) = length {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        let head = Head {
            status: StatusCode::OK,
            headers,
            awaits_content: false,
        };
        let _ = senders.send(exchange.stream(head));
    })
    .await;
    let mut client = server.connect().await;
    client.send(request.as_bytes()).await;
    let sender = sender_of.recv().await.expect("the handler sends it");
    sender.send_slice(b"one");
    client.head().await;
    (server, client, sender, drained)
}

/// A chunk that no other is like.
fn numbered(number: usize) -> Vec<u8> {
    (0..CHUNK)
        .map(|at| (at ^ (at >> 8) ^ number) as u8)
        .collect()
}

#[tokio::test]
async fn a_direct_chunk_keeps_its_place() {
    let (_server, mut client, sender, _) = begun(GET, None).await;
    assert_eq!(client.chunk().await, b"one");
    let direct = sender.direct();
    assert_eq!(direct.write(b"two", 3), Direct::Whole);
    assert_eq!(client.chunk().await, b"two");
    sender.send(Bytes::from_static(b"three"));
    // Sent, and not written yet.
    assert_eq!(direct.write(b"four", 3), Direct::Not);
    assert_eq!(direct.write(b"four", 8), Direct::Not);
    assert_eq!(client.chunk().await, b"three");
    assert_eq!(direct.write(b"four", 8), Direct::Whole);
    sender.end();
    assert_eq!(direct.write(b"five", 8), Direct::Not);
    assert_eq!(client.chunk().await, b"four");
    assert_eq!(client.chunk().await, b"");
}

#[tokio::test]
async fn what_the_socket_has_no_room_for_follows_and_is_told_of() {
    let (_server, mut client, sender, mut drained) = begun(GET, None).await;
    assert_eq!(client.chunk().await, b"one");
    let direct = sender.direct();
    for round in 0..3 {
        let mut written = 0;
        loop {
            let chunk = numbered(written);
            written += 1;
            match direct.write(&chunk, 3) {
                Direct::Whole => {}
                Direct::Partly => break,
                Direct::Not => panic!("round {round}, chunk {written}"),
            }
        }
        assert_eq!(direct.write(b"later", 3), Direct::Not);
        assert!(drained.try_recv().is_err());
        for number in 0..written {
            assert!(client.chunk().await == numbered(number), "chunk {number}");
        }
        assert_eq!(drained.recv().await, Some(7));
    }
    sender.end();
    assert_eq!(client.chunk().await, b"");
    assert!(drained.try_recv().is_err());
}

#[tokio::test]
async fn the_rest_of_a_direct_chunk_comes_before_the_end() {
    let (_server, mut client, sender, _) = begun(GET, None).await;
    assert_eq!(client.chunk().await, b"one");
    let direct = sender.direct();
    let mut written = 0;
    while direct.write(&numbered(written), 3) == Direct::Whole {
        written += 1;
    }
    sender.end();
    for number in 0..=written {
        assert!(client.chunk().await == numbered(number), "chunk {number}");
    }
    assert_eq!(client.chunk().await, b"");
}

#[tokio::test]
async fn content_of_a_known_length_and_content_that_the_connection_ends_are_written_directly() {
    let old = "GET / HTTP/1.0\r\n\r\n";
    let length = 3 + 2 * CHUNK as u64 + 4;
    for (request, length) in [(GET, Some(length)), (old, None)] {
        let (_server, mut client, sender, _) = begun(request, length).await;
        assert_eq!(client.bytes(3).await, b"one");
        let direct = sender.direct();
        assert_eq!(direct.write(&numbered(1), 3), Direct::Whole);
        assert!(client.bytes(CHUNK).await == numbered(1));
        assert_eq!(direct.write(&numbered(2), 3), Direct::Whole);
        assert!(client.bytes(CHUNK).await == numbered(2));
        sender.send_slice(b"last");
        sender.end();
        assert_eq!(client.bytes(4).await, b"last");
        // The same connection serves another request, or it has ended.
        if request == GET {
            let unknown = "GET /none HTTP/1.1\r\nHost: x\r\n\r\n";
            assert_eq!(client.request(unknown).await.status, 404);
        } else {
            assert!(client.is_closed().await);
        }
    }
}

#[tokio::test]
async fn direct_content_that_falls_short_of_its_length_does_not_look_whole() {
    let (_server, mut client, sender, _) = begun(GET, Some(4 + CHUNK as u64)).await;
    assert_eq!(client.bytes(3).await, b"one");
    assert_eq!(sender.direct().write(&numbered(1), 3), Direct::Whole);
    sender.end();
    assert_eq!(client.rest().await.len(), CHUNK);
}

#[tokio::test]
async fn nothing_is_written_to_a_client_that_has_left() {
    let (server, mut client, sender, _) = begun(GET, None).await;
    assert_eq!(client.chunk().await, b"one");
    drop(client);
    let direct = sender.direct();
    server.shutdown.now();
    server.ended().await;
    assert_eq!(direct.write(&numbered(0), 3), Direct::Not);
}
