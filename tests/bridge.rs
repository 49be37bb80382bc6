//! The bridge as JavaScript sees it, with JavaScript played by the test.

mod support;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use support::{
    Client, Running,
    protocol::{
        BUFFER, BYTES, CANCELLED, CHUNK, COMPLETED, CONSUMED, CONTENT_APART, CONTENT_ASCII, END,
        FAIL, JSON, NOT_KEPT, REQUEST, RESPOND, STREAM, TEXT,
    },
};
use tokio::sync::Notify;
use wapix::{
    Config,
    bridge::{Bridge, Taken},
};

struct JavaScript {
    bridge: Arc<Bridge>,
    woken: Arc<Notify>,
    wakes: Arc<AtomicUsize>,
    words: Vec<u32>,
    bytes: Vec<u8>,
    apart: Vec<bytes::Bytes>,
}

/// A server whose handler is the bridge.
async fn start(routes: &[(&str, &str)]) -> (Running, JavaScript) {
    let (server, js) = start_undelivered(routes).await;
    let run = Arc::clone(&js.bridge);
    tokio::spawn(async move { run.run().await });
    (server, js)
}

/// The same, where the I/O side delivers nothing.
async fn start_undelivered(routes: &[(&str, &str)]) -> (Running, JavaScript) {
    let (woken, wakes) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let bridge = Bridge::new({
        let (woken, wakes) = (Arc::clone(&woken), Arc::clone(&wakes));
        Box::new(move || {
            wakes.fetch_add(1, Ordering::Relaxed);
            woken.notify_one();
        })
    });
    let server = Running::start_with(Config::default(), routes, Arc::clone(&bridge)).await;
    let (words, bytes) = (vec![0; 32 * 1024], vec![0; 256 * 1024]);
    (
        server,
        JavaScript {
            bridge,
            woken,
            wakes,
            words,
            bytes,
            apart: Vec::new(),
        },
    )
}

impl JavaScript {
    /// The next batch's words and text.
    async fn batch(&mut self) -> (Vec<u32>, String, bool) {
        self.woken.notified().await;
        self.take()
    }

    fn take(&mut self) -> (Vec<u32>, String, bool) {
        let taken = self
            .bridge
            .take(&mut self.words, &mut self.bytes, &mut self.apart);
        let Taken::Batch { words, text, more } = taken else {
            panic!("{taken:?}")
        };
        let text = self.bytes[..text]
            .iter()
            .map(|byte| char::from(*byte))
            .collect();
        (self.words[..words].to_vec(), text, more)
    }

    /// The slot and serial of the only record in the next batch.
    async fn only(&mut self, kind: u32) -> [u32; 2] {
        let (words, ..) = self.batch().await;
        assert_eq!(words[0] & 0xff, kind, "{words:?}");
        [words[1], words[2]]
    }

    fn answer(&self, words: &[u32], text: &str, bytes: &[u8]) {
        self.answer_with(words, text, bytes, []);
    }

    fn answer_with<'a>(
        &self,
        words: &[u32],
        text: &str,
        bytes: &[u8],
        buffers: impl IntoIterator<Item = &'a [u8]>,
    ) {
        self.bridge.answer(words, text.as_bytes(), bytes, buffers);
        self.bridge.wake();
    }
}

async fn get(client: &mut Client, path: &str) {
    client
        .send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
        .await;
}

#[tokio::test]
async fn a_request_crosses_with_its_fields_and_is_answered() {
    let (server, mut js) = start(&[("GET", "/a"), ("POST", "/users/:id")]).await;
    let mut client = server.connect().await;
    let head = "POST /users/%C3%A9?q=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n";
    client.send(format!("{head}abc").as_bytes()).await;

    let (words, text, more) = js.batch().await;
    assert!(!more);
    let [
        first,
        slot,
        serial,
        route,
        url,
        path,
        ip,
        headers,
        place,
        content,
        port,
        parameters,
        start,
        end,
    ] = words[..]
    else {
        panic!("{words:?}")
    };
    assert_eq!(
        (first & 0xff, route, content, parameters),
        (REQUEST, 1, 3, 1)
    );
    assert_eq!(place, NOT_KEPT);
    assert_ne!(port, 0);
    let mut rest = text.as_str();
    let mut field = |length: u32| {
        let (field, after) = rest.split_at(
            rest.char_indices()
                .nth(length as usize)
                .map_or(rest.len(), |(index, _)| index),
        );
        rest = after;
        field.to_owned()
    };
    assert_eq!(field(url), "/users/%C3%A9?q=1");
    let path = field(path);
    // UTF-8 bytes, each a character.
    assert_eq!(path, "/users/\u{c3}\u{a9}");
    assert_eq!((start, end), (7, 9));
    assert_eq!(field(ip), "127.0.0.1");
    assert_eq!(field(headers), "host\ncontent-length\n\n\u{1}x\u{1}3");
    assert_ne!(first & CONTENT_ASCII, 0);
    assert_eq!(field(content), "abc");

    let headers = "x-a\n\u{e9}\n";
    let length = headers.encode_utf16().count() as u32;
    js.answer(
        &[RESPOND | JSON | TEXT, slot, serial, 201, length, 2],
        &format!("{headers}{{}}"),
        &[],
    );
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.text()), (201, "{}"));
    assert_eq!(answer.header("x-a"), Some("\u{e9}"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn an_answer_that_is_alone_again_needs_no_other_thread() {
    let (server, mut js) = start_undelivered(&[("GET", "/")]).await;
    let mut client = server.connect().await;
    let mut delivered = Vec::new();
    for _ in 0..3 {
        get(&mut client, "/").await;
        let [slot, serial] = js.only(REQUEST).await;
        js.bridge
            .answer(&[RESPOND, slot, serial, 204, 0, 0], b"", &[], []);
        js.bridge.deliver_or_wake();
        delivered.push(client.has_answer());
        js.bridge.deliver();
        assert_eq!(client.answer().await.status, 204);
    }
    assert_eq!(delivered, [false, true, true]);

    let mut other = server.connect().await;
    get(&mut client, "/").await;
    let first = js.only(REQUEST).await;
    get(&mut other, "/").await;
    let second = js.only(REQUEST).await;
    for ([slot, serial], client) in [(first, client), (second, other)] {
        js.bridge
            .answer(&[RESPOND, slot, serial, 204, 0, 0], b"", &[], []);
        js.bridge.deliver_or_wake();
        assert!(!client.has_answer());
    }
}

#[tokio::test]
async fn content_that_is_not_ascii_crosses_as_bytes() {
    let (server, mut js) = start(&[("POST", "/a")]).await;
    let mut client = server.connect().await;
    let sent = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na\xc3\xa9";
    client.send(sent).await;
    let (words, text, _) = js.batch().await;
    assert_eq!(words[0] & CONTENT_ASCII, 0);
    assert_eq!(&js.bytes[text.chars().count()..][..3], b"a\xc3\xa9");
    js.answer(&[RESPOND, words[1], words[2], 204, 0, 0], "", &[]);
    assert_eq!(client.answer().await.status, 204);
}

#[tokio::test]
async fn what_is_ready_together_crosses_together_and_wakes_once() {
    let (server, mut js) = start(&[("GET", "/:n")]).await;
    let mut clients = Vec::new();
    for _ in 0..200 {
        clients.push(server.connect().await);
    }
    // One turn of the loop accepts and reads nothing: every request is there before any is read.
    for client in &mut clients {
        get(client, "/x").await;
    }
    let mut seen = 0;
    while seen < clients.len() {
        let (words, _, mut more) = js.batch().await;
        let mut batch = requests(&words);
        assert!(batch <= 64, "a batch is bounded");
        while more {
            let (words, _, another) = js.take();
            batch += requests(&words);
            more = another;
        }
        seen += batch;
    }
    let wakes = js.wakes.load(Ordering::Relaxed);
    assert!(wakes < seen / 4, "{wakes} wake-ups for {seen} requests");
}

/// How many requests, of one parameter each, a batch has.
fn requests(words: &[u32]) -> usize {
    words
        .chunks(14)
        .filter(|record| record[0] & 0xff == REQUEST)
        .count()
}

#[tokio::test]
async fn a_batch_that_does_not_fit_waits_for_room() {
    let (server, mut js) = start(&[("GET", "/")]).await;
    let mut client = server.connect().await;
    get(&mut client, "/").await;
    js.woken.notified().await;
    let mut none = Vec::new();
    let taken = js.bridge.take(&mut [0; 4], &mut [0; 4], &mut none);
    let Taken::NeedsRoom { words, bytes } = taken else {
        panic!("{taken:?}")
    };
    (js.words, js.bytes) = (vec![0; words], vec![0; bytes]);
    assert_eq!(js.take().0[0] & 0xff, REQUEST);
    assert_eq!(
        js.bridge.take(&mut js.words, &mut js.bytes, &mut none),
        Taken::Empty
    );
}

#[tokio::test]
async fn large_content_crosses_apart() {
    let (server, mut js) = start(&[("POST", "/")]).await;
    let mut client = server.connect().await;
    let content = vec![b'x'; 100_000];
    let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n";
    client.send(head.as_bytes()).await;
    client.send(&content).await;
    let (words, ..) = js.batch().await;
    assert_ne!(words[0] & CONTENT_APART, 0);
    assert_eq!(js.apart, [content]);
}

#[tokio::test]
async fn a_stream_crosses_from_every_source_and_completes() {
    let (server, mut js) = start(&[("GET", "/")]).await;
    let mut client = server.connect().await;
    get(&mut client, "/").await;
    let [slot, serial] = js.only(REQUEST).await;
    let large = bytes::Bytes::from(vec![b'z'; 20_000]);
    js.answer_with(
        &[
            [STREAM, slot, serial, 200, 0].as_slice(),
            &[CHUNK | TEXT, slot, serial, 4],
            &[CHUNK | BYTES, slot, serial, 3],
            &[CHUNK | BUFFER, slot, serial, 20_000],
            &[END, slot, serial],
        ]
        .concat(),
        "text",
        b"raw",
        [&large[..]],
    );
    assert_eq!(client.head().await.status, 200);
    assert_eq!(client.chunk().await, b"textraw");
    assert_eq!(client.chunk().await, large);
    assert_eq!(client.chunk().await, b"");
    assert_eq!(js.only(COMPLETED).await, [slot, serial]);
}

#[tokio::test]
async fn a_client_that_leaves_is_told_of_once_and_answers_to_it_go_nowhere() {
    let (server, mut js) = start(&[("GET", "/")]).await;
    let mut client = server.connect().await;
    get(&mut client, "/").await;
    let gone = js.only(REQUEST).await;
    drop(client);
    assert_eq!(js.only(CANCELLED).await, gone);

    // The next request takes the same slot; late answers to the earlier one are not its.
    let mut client = server.connect().await;
    get(&mut client, "/").await;
    let [slot, serial] = js.only(REQUEST).await;
    assert_eq!(slot, gone[0]);
    js.answer(&[RESPOND | TEXT, slot, gone[1], 200, 0, 5], "wrong", &[]);
    js.answer(&[FAIL, slot, gone[1]], "", &[]);
    js.answer(&[RESPOND | TEXT, slot, serial, 200, 0, 5], "right", &[]);
    assert_eq!(client.answer().await.text(), "right");
}

#[tokio::test]
async fn room_is_reported_by_the_half_window_which_grows() {
    let (server, mut js) = start(&[("GET", "/")]).await;
    let mut client = server.connect().await;
    get(&mut client, "/").await;
    let [slot, serial] = js.only(REQUEST).await;
    js.answer(&[STREAM, slot, serial, 200, 0], "", &[]);
    let (first, last) = (wapix::FIRST_STREAM_WINDOW / 2, wapix::STREAM_WINDOW / 2);
    for half in [first, 2 * first, 4 * first, last, last] {
        let chunk = vec![0; half];
        let record = [CHUNK | BUFFER, slot, serial, half as u32];
        js.answer_with(&record, "", &[], [&chunk[..]]);
        let (words, ..) = js.batch().await;
        assert_eq!(words, [CONSUMED, slot, serial, half as u32]);
    }
}

#[tokio::test]
async fn malformed_answers_do_not_stop_the_bridge() {
    let (server, mut js) = start(&[("GET", "/")]).await;
    let mut client = server.connect().await;
    get(&mut client, "/").await;
    let [slot, serial] = js.only(REQUEST).await;
    let malformed: [&[u32]; 5] = [
        &[99, slot, serial],
        &[RESPOND],
        &[RESPOND | TEXT, 77, 0, 200, 0, 1000],
        &[CHUNK | BUFFER, slot, serial, 5],
        &[STREAM | 0xff00, 77, 0, 200, 0],
    ];
    for words in malformed {
        js.answer(words, "", &[]);
        tokio::task::yield_now().await;
    }
    // Header fields that hyper would refuse: the request is answered all the same.
    js.answer(&[RESPOND, slot, serial, 200, 6, 0], "a b\nc\n", &[]);
    assert_eq!(client.answer().await.status, 500);
}
