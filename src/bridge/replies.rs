//! The queue from JavaScript: answers and stream chunks, as words, text, bytes and buffers.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use super::{protocol, slots::Key};
use crate::{body::FileSource, channel::Topics, field_lines::FieldLines, pool};

/// How much memory is kept for the next records and their text, in bytes.
const KEEP: usize = 256 * 1024;
/// How much is kept for content that is no short text: a batch of answers of 10 KB each.
const KEEP_BYTES: usize = 1024 * 1024;

/// Records as JavaScript wrote them. Later ones append: each region is read in record order.
#[derive(Default)]
pub(super) struct Replies {
    words: Vec<u32>,
    text: Vec<u8>,
    /// The text has more bytes than code units: not all of it is ASCII.
    is_wide: bool,
    bytes: Vec<u8>,
    buffers: Vec<Bytes>,
    files: Vec<FileSource>,
}

/// One record, decoded.
pub(super) enum Record<'a> {
    Respond(Key, (StatusCode, FieldLines), Content<'a>),
    /// And whether its head waits for the content.
    Stream(Key, (StatusCode, FieldLines), bool),
    Chunk(Key, Content<'a>),
    File(Key, FileSource),
    Read(Key),
    Heartbeat(Key, Duration),
    Subscribe(Key, Subscribe<'a>),
    End(Key),
    Fail(Key),
}

/// What a response is to be sent.
pub(super) struct Subscribe<'a> {
    /// The channel's number.
    pub(super) channel: u32,
    /// Empty where there is none.
    pub(super) last_event_id: &'a str,
    pub(super) topics: Topics,
    /// Whether JavaScript wants to hear of it.
    pub(super) followed: bool,
}

pub(super) enum Content<'a> {
    Slice(&'a [u8]),
    Buffer(Bytes),
}

impl Content<'_> {
    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Slice(slice) => slice,
            Self::Buffer(bytes) => bytes,
        }
    }

    pub(super) fn into_bytes(self) -> Bytes {
        match self {
            Self::Slice(slice) => pool::copy(slice),
            Self::Buffer(bytes) => bytes,
        }
    }
}

/// The records do not follow the protocol; what remains of them was dropped.
#[derive(Debug, thiserror::Error)]
#[error("a batch of answers is malformed")]
pub(super) struct MalformedReplies;

impl Replies {
    /// Forgets the records, and the memory that only a burst needed.
    pub(super) fn clear(&mut self) {
        self.words.clear();
        self.words.shrink_to(KEEP / size_of::<u32>());
        self.text.clear();
        self.text.shrink_to(KEEP);
        self.is_wide = false;
        self.bytes.clear();
        self.bytes.shrink_to(KEEP_BYTES);
        self.buffers.clear();
        self.files.clear();
    }

    pub(super) fn append_file(&mut self, Key { slot, serial }: Key, file: FileSource) {
        self.words
            .extend_from_slice(&[protocol::FILE, slot, serial]);
        self.files.push(file);
    }

    pub(super) fn append(
        &mut self,
        words: &[u32],
        text: &[u8],
        bytes: &[u8],
        buffers: impl IntoIterator<Item = Bytes>,
    ) {
        self.words.extend_from_slice(words);
        self.text.extend_from_slice(text);
        self.is_wide |= !text.is_ascii();
        self.bytes.extend_from_slice(bytes);
        self.buffers.extend(buffers);
    }

    /// Whether there is one record, of a whole response.
    pub(super) fn is_one_response(&self) -> bool {
        match self.words.first() {
            Some(first) if first & 0xff == protocol::RESPOND => {
                self.words.len() == protocol::RESPOND_WORDS
            }
            _ => false,
        }
    }

    /// Hands every record to `each`, in order.
    pub(super) fn decode<'a>(
        &'a mut self,
        mut each: impl FnMut(Record<'a>),
    ) -> Result<(), MalformedReplies> {
        let mut reader = Reader {
            words: &self.words,
            text: &self.text,
            is_wide: self.is_wide,
            bytes: &self.bytes,
            buffers: self.buffers.drain(..),
            files: self.files.drain(..),
        };
        while !reader.words.is_empty() {
            let record = reader.record().ok_or(MalformedReplies)?;
            each(record);
        }
        Ok(())
    }
}

struct Reader<'a, B, F> {
    words: &'a [u32],
    text: &'a [u8],
    is_wide: bool,
    bytes: &'a [u8],
    buffers: B,
    files: F,
}

impl<'a, B, F> Reader<'a, B, F>
where
    B: Iterator<Item = Bytes>,
    F: Iterator<Item = FileSource>,
{
    fn record(&mut self) -> Option<Record<'a>> {
        let first = self.word()?;
        let key = Key {
            slot: self.word()?,
            serial: self.word()?,
        };
        Some(match first & 0xff {
            protocol::RESPOND => {
                let status = self.word()?;
                let (headers, content) = (self.word()?, self.word()?);
                let head = self.head(first, status, headers)?;
                Record::Respond(key, head, self.content(first, content)?)
            }
            protocol::STREAM => {
                let (status, headers) = (self.word()?, self.word()?);
                let head = self.head(first, status, headers)?;
                Record::Stream(key, head, first & protocol::AWAITS_CONTENT != 0)
            }
            protocol::CHUNK => {
                let length = self.word()?;
                Record::Chunk(key, self.content(first, length)?)
            }
            protocol::FILE => Record::File(key, self.files.next()?),
            protocol::READ => Record::Read(key),
            protocol::HEARTBEAT => {
                Record::Heartbeat(key, Duration::from_millis(self.word()?.into()))
            }
            protocol::SUBSCRIBE => Record::Subscribe(key, self.subscribe(first)?),
            protocol::END => Record::End(key),
            protocol::FAIL => Record::Fail(key),
            _ => return None,
        })
    }

    fn subscribe(&mut self, first: u32) -> Option<Subscribe<'a>> {
        let (channel, id, topics) = (self.word()?, self.word()?, self.word()?);
        let last_event_id = std::str::from_utf8(self.text(id)?).ok()?;
        let topics = std::str::from_utf8(self.text(topics)?).ok()?;
        Some(Subscribe {
            channel,
            last_event_id,
            topics: (first & protocol::TOPICS != 0)
                .then(|| topics.lines().map(Box::from).collect()),
            followed: first & protocol::FOLLOWED != 0,
        })
    }

    fn word(&mut self) -> Option<u32> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(*first)
    }

    /// The next `units` code units of UTF-16, which stand there as UTF-8.
    fn text(&mut self, units: u32) -> Option<&'a [u8]> {
        let mut length = units as usize;
        if self.is_wide {
            let mut left = units;
            length = 0;
            while left > 0 {
                // What JavaScript's text becomes is UTF-8: its first byte tells how long a character is.
                let (bytes, units) = match self.text.get(length)? {
                    ..0x80 => (1, 1),
                    ..0xe0 => (2, 1),
                    ..0xf0 => (3, 1),
                    _ => (4, 2),
                };
                length += bytes;
                left = left.checked_sub(units)?;
            }
        }
        split(&mut self.text, length)
    }

    fn content(&mut self, first: u32, length: u32) -> Option<Content<'a>> {
        if first & protocol::CONTENT_TEXT != 0 {
            self.text(length).map(Content::Slice)
        } else if first & protocol::CONTENT_BYTES != 0 {
            split(&mut self.bytes, length as usize).map(Content::Slice)
        } else if first & protocol::CONTENT_BUFFER != 0 {
            self.buffers.next().map(Content::Buffer)
        } else {
            Some(Content::Slice(&[]))
        }
    }

    /// Status and header fields. JavaScript has checked each of them; what is wrong all the same must not
    /// leave the request unanswered.
    fn head(&mut self, first: u32, status: u32, length: u32) -> Option<(StatusCode, FieldLines)> {
        let media_type = protocol::MEDIA_TYPES.get((first >> 8 & 0xff) as usize)?;
        let text = self.text(length)?;
        let status = u16::try_from(status).ok().map(StatusCode::from_u16);
        Some(match status {
            Some(Ok(status)) => (status, FieldLines::new(*media_type, text)),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, FieldLines::default()),
        })
    }
}

fn split<'a>(region: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = region.split_at_checked(length)?;
    *region = rest;
    Some(taken)
}
