//! The queue to JavaScript: requests and what became of earlier ones, gathered into batches.

use std::collections::VecDeque;

use bytes::Bytes;
use http::Version;

use super::{
    kept::{Crossing, KeptSections},
    protocol,
    slots::Key,
};
use crate::handler::{Fields, Request};

/// A batch is closed for requests at this many: what JavaScript runs before its timers run again.
const BATCH_REQUESTS: u32 = 64;
/// A batch is closed at this many bytes of text and content.
const BATCH_BYTES: usize = 64 * 1024;
/// A batch is closed at this many words.
const BATCH_WORDS: usize = 16 * 1024;

#[derive(Default)]
pub(super) struct Batch {
    words: Vec<u32>,
    text: Vec<u8>,
    content: Vec<u8>,
    apart: Vec<Bytes>,
    requests: u32,
}

/// What [`Bridge::take`](super::Bridge::take) found.
#[derive(Debug, PartialEq)]
pub enum Taken {
    /// The next batch was written.
    Batch {
        /// How many words.
        words: usize,
        /// How many bytes of text, from the start of the bytes.
        text: usize,
        /// Whether there is another batch.
        more: bool,
    },
    /// The next batch needs more room; it stays.
    NeedsRoom {
        /// How many words.
        words: usize,
        /// How many bytes.
        bytes: usize,
    },
    /// Nothing waits.
    Empty,
}

/// Batches in the order in which JavaScript takes them; the last one is open.
#[derive(Default)]
pub(super) struct RequestQueue {
    batches: VecDeque<Batch>,
    /// A batch that was taken, kept for its memory.
    spare: Option<Batch>,
    kept: KeptSections,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.requests >= BATCH_REQUESTS
            || self.byte_length() >= BATCH_BYTES
            || self.words.len() >= BATCH_WORDS
    }

    fn byte_length(&self) -> usize {
        self.text.len() + self.content.len()
    }

    /// Writes the batch: its text and then its content into `bytes`, its large content into
    /// `apart`. There is room for it. Returns how many words and bytes of text were written.
    pub(super) fn write_to(
        &mut self,
        words: &mut [u32],
        bytes: &mut [u8],
        apart: &mut Vec<Bytes>,
    ) -> (usize, usize) {
        let (text, all) = (self.text.len(), self.byte_length());
        words[..self.words.len()].copy_from_slice(&self.words);
        bytes[..text].copy_from_slice(&self.text);
        bytes[text..all].copy_from_slice(&self.content);
        apart.append(&mut self.apart);
        (self.words.len(), text)
    }

    fn clear(&mut self) {
        self.words.clear();
        self.text.clear();
        self.content.clear();
        self.requests = 0;
    }
}

impl RequestQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    fn open(&mut self) -> &mut Batch {
        if self.batches.back().is_none_or(Batch::is_full) {
            let batch = self.spare.take().unwrap_or_default();
            self.batches.push_back(batch);
        }
        let last = self.batches.len() - 1;
        &mut self.batches[last]
    }

    pub(super) fn push_event(&mut self, kind: u32, key: Key, operands: &[u32]) {
        let batch = self.open();
        batch.words.extend_from_slice(&[kind, key.slot, key.serial]);
        batch.words.extend_from_slice(operands);
    }

    pub(super) fn push_body(&mut self, key: Key, chunk: Bytes) {
        let batch = self.open();
        batch
            .words
            .extend_from_slice(&[protocol::BODY, key.slot, key.serial]);
        batch.apart.push(chunk);
    }

    pub(super) fn push_closed(&mut self) {
        self.open().words.push(protocol::CLOSED);
    }

    pub(super) fn push_request(&mut self, key: Key, request: Request<'_>, is_streamed: bool) {
        let Request {
            route,
            allowed,
            method,
            params,
            decoded_path,
            target,
            version,
            fields,
            body,
            peer,
        } = request;
        let crossing = match fields {
            Fields::Repeated(fields) => self.kept.cross(fields),
            Fields::Map(_) | Fields::Sent(_) => Crossing::Once,
        };
        let batch = self.open();
        let mut first = protocol::REQUEST
            | (method as u32) << 8
            | u32::from(allowed.bits()) << protocol::ALLOWED_SHIFT;
        if version == Version::HTTP_10 {
            first |= protocol::HTTP_10;
        }
        if version == Version::HTTP_2 {
            first |= protocol::HTTP_2;
        }
        if peer.encrypted {
            first |= protocol::ENCRYPTED;
        }
        if !decoded_path.as_deref().unwrap_or(target).is_ascii() {
            first |= protocol::UTF8_PATH;
        }
        let decoded_path = decoded_path.unwrap_or_default();
        if is_streamed {
            first |= protocol::CONTENT_STREAMED;
        }

        let text = &mut batch.text;
        text.extend_from_slice(target.as_bytes());
        text.extend_from_slice(decoded_path.as_bytes());
        text.extend_from_slice(peer.ip.as_bytes());
        let fields_start = text.len();
        let place = match crossing {
            Crossing::Kept(place) => place,
            Crossing::Keep(place) => {
                write_fields(fields, text);
                place
            }
            Crossing::Once => {
                write_fields(fields, text);
                protocol::NOT_KEPT
            }
        };
        let fields_length = text.len() - fields_start;
        let content = body.as_bytes();
        let content_length = content.len();
        if content_length > protocol::INLINE_CONTENT {
            first |= protocol::CONTENT_APART;
            batch.apart.push(body.into_bytes());
        } else if content.is_ascii() {
            first |= protocol::CONTENT_ASCII;
            text.extend_from_slice(content);
        } else {
            batch.content.extend_from_slice(content);
        }
        batch.words.extend_from_slice(&[
            first,
            key.slot,
            key.serial,
            route.get(),
            target.len() as u32,
            decoded_path.len() as u32,
            peer.ip.len() as u32,
            fields_length as u32,
            place,
            content_length as u32,
            u32::from(peer.port),
            params.len() as u32,
        ]);
        for (start, end) in params.iter() {
            batch.words.extend_from_slice(&[start, end]);
        }
        batch.requests += 1;
    }

    /// The next batch, where it has no more words and bytes than there is room for.
    pub(super) fn pop(&mut self, words: usize, bytes: usize) -> Result<Batch, Taken> {
        let batch = self.batches.front().ok_or(Taken::Empty)?;
        let (words_needed, bytes_needed) = (batch.words.len(), batch.byte_length());
        if words_needed > words || bytes_needed > bytes {
            return Err(Taken::NeedsRoom {
                words: words_needed,
                bytes: bytes_needed,
            });
        }
        self.batches.pop_front().ok_or(Taken::Empty)
    }

    /// Takes back the memory of a batch that was read.
    pub(super) fn recycle(&mut self, mut batch: Batch) {
        batch.clear();
        if batch.text.capacity() + batch.content.capacity() <= 4 * BATCH_BYTES {
            self.spare = Some(batch);
        }
    }
}

/// Writes names in lower case, and values, as `protocol` lays them out.
fn write_fields(fields: Fields<'_>, text: &mut Vec<u8>) {
    let start = text.len();
    fields.each(|name, _| {
        text.extend_from_slice(name.as_bytes());
        text.push(b'\n');
    });
    text[start..].make_ascii_lowercase();
    text.push(b'\n');
    fields.each(|_, value| {
        match u8::try_from(value.len()) {
            Ok(length) if length < protocol::LONG_VALUE => text.push(length),
            _ => {
                text.push(protocol::LONG_VALUE);
                text.extend_from_slice(&(value.len() as u32).to_le_bytes());
            }
        }
        text.extend_from_slice(value);
    });
}
