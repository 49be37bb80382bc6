//! Answers, as JavaScript writes them and as they arrive.

use std::task::Poll;

use arbitrary::Arbitrary;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::{
    protocol::{CHUNK, END, MEDIA_TYPES, NAMES, RESPOND, SOURCES, STREAM},
    world::{World, poll},
};

#[derive(Arbitrary, Debug)]
pub(crate) enum Content<'a> {
    Slice(&'a [u8]),
    Long(u16, u8),
}

impl Content<'_> {
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        match *self {
            Self::Slice(slice) => slice.to_vec(),
            Self::Long(length, byte) => vec![byte; usize::from(length) % 40_000],
        }
    }
}

#[derive(Arbitrary, Debug)]
pub(crate) struct AnswerHead<'a> {
    pub(crate) status: u16,
    pub(crate) media: u8,
    pub(crate) fields: Vec<(u8, &'a str)>,
}

/// How far an answer has come, by the records that were written.
#[derive(Debug)]
pub(crate) enum Progress {
    Waiting,
    Answered(StatusCode, HeaderMap, Vec<u8>),
    Streaming(StatusCode, HeaderMap, Vec<u8>),
    Failed,
}

/// Records that have not been handed over.
#[derive(Default)]
pub(crate) struct Outbox {
    pub(crate) words: Vec<u32>,
    pub(crate) text: Vec<u8>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) buffers: Vec<Vec<u8>>,
}

impl World<'_> {
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

    pub(crate) fn respond(
        &mut self,
        which: u8,
        head: &AnswerHead<'_>,
        source: u8,
        mut content: Vec<u8>,
    ) {
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

    pub(crate) fn stream(&mut self, which: u8, head: &AnswerHead<'_>) {
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

    pub(crate) fn chunk(&mut self, which: u8, source: u8, content: Vec<u8>) {
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

    pub(crate) fn end(&mut self, which: u8, kind: u32) {
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

    pub(crate) fn deliver(&mut self) {
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
    pub(crate) fn check_answer(&mut self, index: usize) {
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
}
