//! The bridge with both its sides played: requests cross into buffers of any size, answers come back,
//! and what arrives is what was sent. Answers that no JavaScript of ours writes do no harm.
#![no_main]

mod answers;
mod protocol;
mod requests;
mod world;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use arbitrary::Arbitrary;
use http::{HeaderMap, StatusCode, Version};
use libfuzzer_sys::fuzz_target;
use wapix::{Direct, bridge::Bridge, router::Method};

use crate::{
    answers::{AnswerHead, Content, Outbox, Progress},
    protocol::{END, FAIL, RESPOND, SOURCES},
    requests::Line,
    world::World,
};

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
    /// A header section comes that will come again.
    Section {
        fields: Vec<(u8, &'a [u8])>,
        /// It wants the place of the one before.
        is_rival: bool,
    },
    /// A request with one of those.
    Again(u8, Content<'a>),
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

impl World<'_> {
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
                let line = Line {
                    method,
                    target: &target,
                    version,
                    encrypted,
                };
                // What is no request is not sent.
                let _ = self.request(line, &fields, &body.to_vec());
            }
            Step::Section { fields, is_rival } => self.section(&fields, is_rival),
            Step::Again(which, body) => {
                let _ = self.again(which, Line::get("/a/b"), &body.to_vec());
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
        let index = self.requests.len();
        self.request(Line::get("/last"), &[], &[])
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
    let mut world = World::new(&bridge, wakes);
    // Most of what can go wrong begins with requests that JavaScript has seen.
    for _ in 0..begun % 4 {
        world.request(Line::get("/a/b"), &[], &[]);
    }
    world.take_all();
    for step in steps {
        world.step(step);
    }
    world.finish();
});
