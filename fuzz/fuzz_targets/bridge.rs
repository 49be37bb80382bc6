//! The bridge with both its sides played: requests cross into buffers of any size, answers come back,
//! and what arrives is what was sent. Answers that no JavaScript of ours writes do no harm.
#![no_main]

use std::{
    collections::{HashMap, HashSet, VecDeque},
    future::Future,
    pin::Pin,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use arbitrary::Arbitrary;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};
use libfuzzer_sys::fuzz_target;
use wapix::{
    Direct, Exchange, Fields, Handler, Head, Peer, Request, RequestBody,
    bridge::{Bridge, Taken},
    router::{Lookup, Method, MethodSet, RouteId, Router, canonicalize},
};

// The records' kinds and flags, as `src/bridge/protocol.rs` documents them.
const REQUEST: u32 = 1;
const CANCELLED: u32 = 2;
const CONSUMED: u32 = 3;
const COMPLETED: u32 = 4;
const RESPOND: u32 = 1;
const STREAM: u32 = 2;
const CHUNK: u32 = 3;
const END: u32 = 4;
const FAIL: u32 = 5;
const UTF8_PATH: u32 = 1 << 16;
const HTTP_10: u32 = 1 << 17;
const ENCRYPTED: u32 = 1 << 18;
const CONTENT_APART: u32 = 1 << 19;
const CONTENT_ASCII: u32 = 1 << 22;
const HTTP_2: u32 = 1 << 20;
const LONG_VALUE: u8 = 255;
const SOURCES: [u32; 4] = [0, 1 << 16, 1 << 17, 1 << 18];
const MEDIA_TYPES: [&str; 3] = ["", "application/json", "text/plain; charset=utf-8"];

const BATCH_REQUESTS: usize = 64;
const INLINE_CONTENT: usize = 16 * 1024;
const NAMES: [&str; 4] = ["host", "x-a", "content-type", "set-cookie"];
/// What nothing may be written over.
const CANARY: u8 = 0xa5;

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    Request {
        method: u8,
        target: &'a str,
        fields: Vec<(u8, &'a [u8])>,
        body: Content<'a>,
        version: u8,
        encrypted: bool,
    },
    Take {
        words: u16,
        bytes: u16,
    },
    TakeAll,
    Respond(u8, AnswerHead<'a>, u8, Content<'a>),
    Stream(u8, AnswerHead<'a>),
    Chunk(u8, u8, Content<'a>),
    End(u8),
    Fail(u8),
    Write(u8, u8),
    Deliver,
    /// hyper asks for the answer.
    Poll(u8),
    /// The client leaves.
    Leave(u8),
    /// One word of what is to be delivered is another.
    Corrupt(u8, u32),
    Garbage {
        words: Vec<u32>,
        text: &'a [u8],
        bytes: &'a [u8],
        buffers: Vec<&'a [u8]>,
    },
}

#[derive(Arbitrary, Debug)]
enum Content<'a> {
    Slice(&'a [u8]),
    Long(u16, u8),
}

impl Content<'_> {
    fn to_vec(&self) -> Vec<u8> {
        match *self {
            Self::Slice(slice) => slice.to_vec(),
            Self::Long(length, byte) => vec![byte; usize::from(length) % 40_000],
        }
    }
}

#[derive(Arbitrary, Debug)]
struct AnswerHead<'a> {
    status: u16,
    media: u8,
    fields: Vec<(u8, &'a str)>,
}

type Key = (u32, u32);
type Answered = Pin<Box<dyn Future<Output = Option<(Head, Bytes)>>>>;

/// A request as it has to arrive.
#[derive(Debug, PartialEq)]
struct Crossing {
    first: u32,
    route: u32,
    port: u32,
    url: Vec<u8>,
    decoded_path: Vec<u8>,
    ip: Vec<u8>,
    headers: Vec<u8>,
    content: Vec<u8>,
    parameters: Vec<Vec<u8>>,
}

/// How far an answer has come, by the records that were written.
#[derive(Debug)]
enum Progress {
    Waiting,
    Answered(StatusCode, HeaderMap, Vec<u8>),
    Streaming(StatusCode, HeaderMap, Vec<u8>),
    Failed,
}

struct Tracked {
    key: Option<Key>,
    progress: Progress,
    /// Not where the client has left, or the answer was taken.
    answered: Option<Answered>,
}

/// Records that have not been handed over.
#[derive(Default)]
struct Outbox {
    words: Vec<u32>,
    text: Vec<u8>,
    bytes: Vec<u8>,
    buffers: Vec<Vec<u8>>,
}

struct World<'a> {
    bridge: &'a Arc<Bridge>,
    wakes: Arc<AtomicUsize>,
    seen_wakes: usize,
    /// The next record wakes JavaScript.
    idle: bool,
    requests: Vec<Tracked>,
    crossing: VecDeque<(usize, Crossing)>,
    by_key: HashMap<Key, usize>,
    over: HashSet<Key>,
    outbox: Outbox,
    /// Only records that JavaScript of ours could write were written.
    trusted: bool,
}

fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Takes the next `length` bytes off a region.
fn split(region: &mut &[u8], length: u32) -> Vec<u8> {
    let (taken, rest) = region.split_at(length as usize);
    *region = rest;
    taken.to_vec()
}

static ROUTER: LazyLock<Router> = LazyLock::new(|| {
    let mut router = Router::new();
    for (id, pattern) in ["/", "/:a", "/:a/x/:b", "/:a/*rest"]
        .into_iter()
        .enumerate()
    {
        for method in Method::ALL {
            router
                .insert(method, pattern, RouteId::new(id as u32))
                .expect("the patterns differ");
        }
    }
    router
});

impl World<'_> {
    /// Checks that JavaScript was woken exactly where it has to be.
    fn woken(&mut self, queued: bool) {
        let wakes = self.wakes.load(Ordering::Relaxed);
        let woken = wakes - self.seen_wakes;
        self.seen_wakes = wakes;
        if queued {
            assert_eq!(woken, usize::from(self.idle), "queued, and woken");
        } else {
            assert!(woken <= usize::from(self.idle), "woken once");
        }
        self.idle &= woken == 0;
    }

    fn request(
        &mut self,
        (method, version, encrypted): (Method, Version, bool),
        target: &str,
        fields: &[(u8, &[u8])],
        body: Vec<u8>,
    ) -> Option<()> {
        let mut request = http::Request::builder().method(method.as_str()).uri(target);
        let mut headers = Vec::new();
        for (name, value) in fields {
            let name = NAMES[usize::from(*name) % NAMES.len()];
            request = request.header(name, HeaderValue::from_bytes(value).ok()?);
        }
        let (mut head, ()) = request.body(()).ok()?.into_parts();
        head.version = version;
        for name in head.headers.iter().map(|(name, _)| name) {
            headers.extend_from_slice(name.as_str().as_bytes());
            headers.push(b'\n');
        }
        headers.push(b'\n');
        for value in head.headers.iter().map(|(_, value)| value) {
            match u8::try_from(value.len()) {
                Ok(length) if length < LONG_VALUE => headers.push(length),
                _ => {
                    headers.push(LONG_VALUE);
                    headers.extend_from_slice(&(value.len() as u32).to_le_bytes());
                }
            }
            headers.extend_from_slice(value.as_bytes());
        }
        let uri = head.uri.clone();
        let path = canonicalize(uri.path()).ok()?;
        let Lookup::Route { id, params } = ROUTER.find(Some(method), &path) else {
            return None;
        };
        let decoded_path = (!path.is_raw()).then(|| path.as_str().to_owned());
        let url = uri.path_and_query()?.as_str().as_bytes().to_vec();
        let of = if path.is_raw() {
            uri.path_and_query()?.as_str()
        } else {
            path.as_str()
        };
        let mut first = REQUEST | (method as u32) << 8;
        for (holds, flag) in [
            (!of.is_ascii(), UTF8_PATH),
            (version == Version::HTTP_10, HTTP_10),
            (version == Version::HTTP_2, HTTP_2),
            (encrypted, ENCRYPTED),
            (body.len() > INLINE_CONTENT, CONTENT_APART),
            (
                body.len() <= INLINE_CONTENT && body.is_ascii(),
                CONTENT_ASCII,
            ),
        ] {
            first |= if holds { flag } else { 0 };
        }
        let peer = Peer {
            ip: "2001:db8::1".to_owned(),
            port: 4711,
            encrypted,
        };
        let crossing = Crossing {
            first,
            route: id.get(),
            port: 4711,
            url,
            decoded_path: decoded_path.clone().unwrap_or_default().into_bytes(),
            ip: peer.ip.clone().into_bytes(),
            headers,
            content: body.clone(),
            parameters: (0..params.len())
                .map(|index| params.get(index, &path).expect("a range of the path"))
                .map(|value| value.as_bytes().to_vec())
                .collect(),
        };
        let (exchange, answered) = Exchange::detached();
        let request = Request {
            route: id,
            allowed: MethodSet::EMPTY,
            method,
            params,
            decoded_path,
            target: head.uri.path_and_query()?.as_str(),
            version,
            fields: Fields::Map(&head.headers),
            body: RequestBody::Received(&body),
            peer: &peer,
        };
        self.bridge.handle(request, exchange);
        self.woken(true);
        self.crossing.push_back((self.requests.len(), crossing));
        self.requests.push(Tracked {
            key: None,
            progress: Progress::Waiting,
            answered: Some(Box::pin(answered)),
        });
        Some(())
    }

    /// Takes a batch into buffers of this size, and reads it.
    fn take(&mut self, words: usize, bytes: usize) -> Taken {
        let mut word_buffer = vec![u32::from_le_bytes([CANARY; 4]); words];
        let mut byte_buffer = vec![CANARY; bytes];
        let mut apart = Vec::new();
        let taken = self
            .bridge
            .take(&mut word_buffer, &mut byte_buffer, &mut apart);
        let (mut read, mut read_bytes) = (0, 0);
        match taken {
            Taken::Batch { words, text, more } => {
                self.idle = !more;
                read = words;
                read_bytes = self.read(&word_buffer[..words], &byte_buffer, text, apart);
            }
            Taken::NeedsRoom {
                words: needed_words,
                bytes: needed_bytes,
            } => {
                assert!(needed_words > words || needed_bytes > bytes);
                assert!(apart.is_empty());
                self.idle = false;
            }
            Taken::Empty => {
                assert!(apart.is_empty() && self.crossing.is_empty());
                self.idle = true;
            }
        }
        let untouched = |byte: &u8| *byte == CANARY;
        assert!(byte_buffer[read_bytes..].iter().all(untouched));
        assert!(
            word_buffer[read..]
                .iter()
                .all(|word| word.to_le_bytes() == [CANARY; 4])
        );
        taken
    }

    /// Reads a batch as `lib/bridge/inbox.ts` does. Returns how many bytes it is of.
    fn read(
        &mut self,
        words: &[u32],
        bytes: &[u8],
        text_length: usize,
        apart: Vec<Bytes>,
    ) -> usize {
        let mut words = words;
        let (text, mut content) = bytes.split_at(text_length);
        let (mut text, mut apart) = (text, apart.into_iter());
        let mut requests = 0;
        while let Some(&first) = words.first() {
            match first & 0xff {
                REQUEST => {
                    requests += 1;
                    words = self.read_request(words, &mut text, &mut content, &mut apart);
                }
                CANCELLED | COMPLETED => {
                    let key = (words[1], words[2]);
                    assert!(self.by_key.contains_key(&key));
                    assert!(self.over.insert(key), "an end is told once");
                    words = &words[3..];
                }
                CONSUMED => {
                    let key = (words[1], words[2]);
                    assert!(self.by_key.contains_key(&key));
                    assert!(!self.over.contains(&key), "nothing follows an end");
                    words = &words[4..];
                }
                other => panic!("a record of the kind {other}"),
            }
        }
        assert!(text.is_empty() && apart.next().is_none());
        assert!(requests <= BATCH_REQUESTS);
        bytes.len() - content.len()
    }

    fn read_request<'w>(
        &mut self,
        words: &'w [u32],
        text: &mut &[u8],
        content: &mut &[u8],
        apart: &mut impl Iterator<Item = Bytes>,
    ) -> &'w [u32] {
        let (
            [
                first,
                slot,
                serial,
                route,
                url,
                path,
                ip,
                headers,
                _place,
                length,
                port,
                parameters,
            ],
            ranges,
        ) = words
            .split_first_chunk()
            .expect("a request has twelve words");
        let (ranges, rest) = ranges.split_at(2 * *parameters as usize);
        let mut next = |length: &u32| split(text, *length);
        let (url, decoded_path) = (next(url), next(path));
        let base = if decoded_path.is_empty() {
            &url
        } else {
            &decoded_path
        };
        let parameters = ranges
            .chunks_exact(2)
            .map(|range| base[range[0] as usize..range[1] as usize].to_vec())
            .collect();
        let found = Crossing {
            first: *first,
            route: *route,
            port: *port,
            ip: next(ip),
            headers: next(headers),
            content: if first & CONTENT_APART != 0 {
                apart.next().expect("it crosses apart").to_vec()
            } else if first & CONTENT_ASCII != 0 {
                next(length)
            } else {
                split(content, *length)
            },
            parameters,
            url,
            decoded_path,
        };
        let (index, expected) = self.crossing.pop_front().expect("it was sent");
        assert_eq!(found, expected);
        assert_eq!(found.content.len(), *length as usize);
        let key = (*slot, *serial);
        assert_eq!(self.by_key.insert(key, index), None, "a key is used once");
        self.requests[index].key = Some(key);
        rest
    }

    fn take_all(&mut self) {
        let (mut words, mut bytes) = (0, 0);
        loop {
            match self.take(words, bytes) {
                Taken::NeedsRoom {
                    words: needed_words,
                    bytes: needed_bytes,
                } => {
                    assert_ne!((words, bytes), (needed_words, needed_bytes), "it fits now");
                    (words, bytes) = (needed_words, needed_bytes);
                }
                Taken::Batch { more: true, .. } => (words, bytes) = (0, 0),
                Taken::Batch { .. } => {
                    assert_eq!(self.take(0, 0), Taken::Empty);
                    return;
                }
                Taken::Empty => return,
            }
        }
    }

    /// A request that JavaScript has seen.
    fn known(&self, which: u8) -> Option<(usize, Key)> {
        let known: Vec<_> = self
            .requests
            .iter()
            .enumerate()
            .filter_map(|(index, request)| Some((index, request.key?)))
            .collect();
        known
            .get(usize::from(which).checked_rem(known.len())?)
            .copied()
    }

    fn put_head(&mut self, head: &AnswerHead<'_>) -> (u32, u32, StatusCode, HeaderMap) {
        let media = usize::from(head.media) % MEDIA_TYPES.len();
        let mut text = String::new();
        let mut headers = HeaderMap::new();
        if media > 0 {
            headers.insert("content-type", HeaderValue::from_static(MEDIA_TYPES[media]));
        }
        let mut status = StatusCode::from_u16(head.status).ok();
        for (name, value) in &head.fields {
            let name = NAMES[usize::from(*name) % NAMES.len()];
            // No field that JavaScript lets pass holds one.
            let value = value.replace('\n', "");
            text.extend([name, "\n", &value, "\n"]);
            let latin1: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(c).ok()).collect();
            match latin1.and_then(|latin1| HeaderValue::from_bytes(&latin1).ok()) {
                Some(value) => {
                    headers.append(HeaderName::from_static(name), value);
                }
                None => status = None,
            }
        }
        if status.is_none() {
            headers.clear();
        }
        self.outbox.text.extend_from_slice(text.as_bytes());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        ((media as u32) << 8, text.len() as u32, status, headers)
    }

    fn put_content(&mut self, source: u32, content: &[u8]) {
        match SOURCES.iter().position(|other| *other == source) {
            Some(1) => self.outbox.text.extend_from_slice(content),
            Some(2) => self.outbox.bytes.extend_from_slice(content),
            Some(3) => self.outbox.buffers.push(content.to_vec()),
            _ => {}
        }
    }

    fn respond(&mut self, which: u8, head: &AnswerHead<'_>, source: u8, mut content: Vec<u8>) {
        let Some((index, (slot, serial))) = self.known(which) else {
            return;
        };
        let source = SOURCES[usize::from(source) % SOURCES.len()];
        if source == 0 {
            content.clear();
        }
        let (media, fields, status, headers) = self.put_head(head);
        self.put_content(source, &content);
        let length = content.len() as u32;
        let first = RESPOND | media | source;
        let words = [first, slot, serial, u32::from(head.status), fields, length];
        self.outbox.words.extend_from_slice(&words);
        let progress = &mut self.requests[index].progress;
        *progress = match std::mem::replace(progress, Progress::Failed) {
            Progress::Waiting => Progress::Answered(status, headers, content),
            Progress::Streaming(..) => Progress::Failed,
            over => over,
        };
    }

    fn stream(&mut self, which: u8, head: &AnswerHead<'_>) {
        let Some((index, (slot, serial))) = self.known(which) else {
            return;
        };
        let (media, fields, status, headers) = self.put_head(head);
        let words = [STREAM | media, slot, serial, u32::from(head.status), fields];
        self.outbox.words.extend_from_slice(&words);
        let progress = &mut self.requests[index].progress;
        *progress = match std::mem::replace(progress, Progress::Failed) {
            Progress::Waiting => Progress::Streaming(status, headers, Vec::new()),
            Progress::Streaming(..) => Progress::Failed,
            over => over,
        };
    }

    fn chunk(&mut self, which: u8, source: u8, content: Vec<u8>) {
        let Some((index, (slot, serial))) = self.known(which) else {
            return;
        };
        let source = SOURCES[usize::from(source) % SOURCES.len()];
        let words = [CHUNK | source, slot, serial, content.len() as u32];
        self.outbox.words.extend_from_slice(&words);
        self.put_content(source, &content);
        if let (Progress::Streaming(_, _, sent), true) =
            (&mut self.requests[index].progress, source != 0)
        {
            sent.extend_from_slice(&content);
        }
    }

    fn end(&mut self, which: u8, kind: u32) {
        let Some((index, (slot, serial))) = self.known(which) else {
            return;
        };
        self.outbox.words.extend_from_slice(&[kind, slot, serial]);
        let progress = &mut self.requests[index].progress;
        *progress = match std::mem::replace(progress, Progress::Failed) {
            Progress::Streaming(status, headers, sent) if kind == END => {
                Progress::Answered(status, headers, sent)
            }
            Progress::Answered(status, headers, content) => {
                Progress::Answered(status, headers, content)
            }
            _ => Progress::Failed,
        };
    }

    fn deliver(&mut self) {
        let Outbox {
            words,
            text,
            bytes,
            buffers,
        } = std::mem::take(&mut self.outbox);
        let buffers = buffers.iter().map(Vec::as_slice);
        self.bridge.answer(&words, &text, &bytes, buffers);
        self.bridge.deliver();
        self.woken(false);
    }

    /// Whatever has arrived for hyper is as it was sent.
    fn check_answer(&mut self, index: usize) {
        let request = &mut self.requests[index];
        let Some(answered) = &mut request.answered else {
            return;
        };
        let outcome = poll(answered.as_mut());
        if outcome.is_ready() {
            request.answered = None;
        }
        if self.trusted {
            match (outcome, &request.progress) {
                (Poll::Pending, Progress::Waiting | Progress::Streaming(..))
                | (Poll::Ready(None), Progress::Failed) => {}
                (Poll::Ready(Some((head, body))), Progress::Answered(status, headers, content)) => {
                    assert_eq!(head.status, *status);
                    assert_eq!(head.headers, *headers);
                    assert_eq!(body, *content);
                }
                (outcome, progress) => panic!("{outcome:?} of {progress:?}"),
            }
        }
        self.woken(false);
    }

    fn step(&mut self, step: Step<'_>) {
        match step {
            Step::Request {
                method,
                target,
                fields,
                body,
                version,
                encrypted,
            } => {
                let method = Method::ALL[usize::from(method) % Method::ALL.len()];
                let versions = [Version::HTTP_11, Version::HTTP_10, Version::HTTP_2];
                let version = versions[usize::from(version) % versions.len()];
                let target = format!("/{target}");
                let line = (method, version, encrypted);
                // What is no request is not sent.
                let _ = self.request(line, &target, &fields, body.to_vec());
            }
            Step::Take { words, bytes } => {
                self.take(words.into(), bytes.into());
            }
            Step::TakeAll => self.take_all(),
            Step::Respond(which, head, source, content) => {
                self.respond(which, &head, source, content.to_vec());
            }
            Step::Stream(which, head) => self.stream(which, &head),
            Step::Chunk(which, source, content) => self.chunk(which, source, content.to_vec()),
            Step::End(which) => self.end(which, END),
            Step::Fail(which) => self.end(which, FAIL),
            Step::Write(which, byte) => {
                if let Some((_, (slot, serial))) = self.known(which) {
                    let direct = self.bridge.write(slot, serial, &[byte], 0);
                    assert_eq!(direct, Direct::Not, "there is no socket");
                }
            }
            Step::Deliver => self.deliver(),
            Step::Poll(which) => {
                self.deliver();
                if let Some(index) = usize::from(which).checked_rem(self.requests.len()) {
                    self.check_answer(index);
                }
            }
            Step::Leave(which) => {
                self.deliver();
                if let Some(index) = usize::from(which).checked_rem(self.requests.len()) {
                    self.requests[index].answered = None;
                    self.woken(false);
                }
            }
            Step::Corrupt(at, word) => {
                let words = &mut self.outbox.words;
                if let Some(at) = usize::from(at).checked_rem(words.len()) {
                    words[at] = word;
                    self.trusted = false;
                }
            }
            Step::Garbage {
                words,
                text,
                bytes,
                buffers,
            } => {
                self.deliver();
                self.trusted = false;
                self.outbox = Outbox {
                    words,
                    text: text.to_vec(),
                    bytes: bytes.to_vec(),
                    buffers: buffers.into_iter().map(<[u8]>::to_vec).collect(),
                };
                self.deliver();
            }
        }
    }

    /// Whatever came before, the next request crosses and is answered.
    fn finish(&mut self) {
        self.deliver();
        for index in 0..self.requests.len() {
            self.check_answer(index);
        }
        self.take_all();
        let line = (Method::Get, Version::HTTP_11, false);
        let index = self.requests.len();
        self.request(line, "/last", &[], Vec::new())
            .expect("it is a request");
        self.take_all();
        let (slot, serial) = self.requests[index].key.expect("it has crossed");
        let words = [RESPOND | SOURCES[1], slot, serial, 200, 0, 5];
        self.outbox.words.extend_from_slice(&words);
        self.outbox.text.extend_from_slice(b"hello");
        let (status, headers) = (StatusCode::OK, HeaderMap::new());
        self.requests[index].progress = Progress::Answered(status, headers, b"hello".to_vec());
        self.trusted = true;
        self.deliver();
        self.check_answer(index);
        assert!(self.requests[index].answered.is_none());
    }
}

fuzz_target!(|input: (u8, Vec<Step<'_>>)| {
    let (begun, steps) = input;
    let wakes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&wakes);
    let bridge = Bridge::new(Box::new(move || {
        counted.fetch_add(1, Ordering::Relaxed);
    }));
    let mut world = World {
        bridge: &bridge,
        wakes,
        seen_wakes: 0,
        idle: true,
        requests: Vec::new(),
        crossing: VecDeque::new(),
        by_key: HashMap::new(),
        over: HashSet::new(),
        outbox: Outbox::default(),
        trusted: true,
    };
    // Most of what can go wrong begins with requests that JavaScript has seen.
    for _ in 0..begun % 4 {
        let line = (Method::Get, Version::HTTP_11, false);
        world.request(line, "/a/b", &[], Vec::new());
    }
    world.take_all();
    for step in steps {
        world.step(step);
    }
    world.finish();
});
