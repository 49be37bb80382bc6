//! A path's segments: where they end, and how they are compared and hashed.

use super::word::{self, WORD};

/// The end of the segment of `path` that begins at `start`, which is `end` for the last one.
#[inline]
pub(super) fn segment_end(path: &[u8], start: usize, end: usize) -> usize {
    let mut at = start;
    while let Some(chunk) = word::chunk(path, at) {
        let slashes = word::mark(chunk, b'/');
        if slashes != 0 {
            return at + word::before(slashes);
        }
        at += WORD;
    }
    match path.last_chunk() {
        Some(last) if at < path.len() => {
            // The bytes before `at` are shifted out, and NUL, which is no slash, in.
            let seen = WORD - (path.len() - at);
            let slashes = word::mark(u64::from_le_bytes(*last) >> (8 * seen), b'/');
            if slashes == 0 {
                end
            } else {
                at + word::before(slashes)
            }
        }
        Some(_) => end,
        None => (at..end)
            .find(|&at| path.get(at) == Some(&b'/'))
            .unwrap_or(end),
    }
}

/// A text by its length and its outer sixteen bytes, which overlap in a shorter one. Texts of up to
/// sixteen bytes are equal exactly where their keys are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Key {
    head: u64,
    tail: u64,
    len: u32,
}

impl Key {
    #[inline]
    pub(super) fn new(text: &[u8]) -> Self {
        let (head, tail) = if let (Some(head), Some(tail)) = (text.first_chunk(), text.last_chunk())
        {
            (u64::from_le_bytes(*head), u64::from_le_bytes(*tail))
        } else if let (Some(head), Some(tail)) = (text.first_chunk(), text.last_chunk()) {
            (
                u32::from_le_bytes(*head).into(),
                u32::from_le_bytes(*tail).into(),
            )
        } else {
            let byte = |at: usize| text.get(at).copied().map_or(0, u64::from);
            (byte(0) | byte(1) << 8, byte(2))
        };
        Self {
            head,
            tail,
            len: text.len() as u32,
        }
    }

    /// The length of the text, in bytes.
    #[inline]
    pub(super) fn len(self) -> usize {
        self.len as usize
    }

    /// Whether the key holds every byte of the text.
    #[inline]
    pub(super) fn is_whole(self) -> bool {
        self.len() <= 2 * WORD
    }

    /// A hash of `text`, the whole text of this key. What is in the table comes from the developer,
    /// not from the client, so it need not resist chosen texts.
    #[inline]
    pub(super) fn hash(self, text: &[u8]) -> usize {
        let mut hash = fold(self.head ^ u64::from(self.len), self.tail);
        if let Some(inner) = text.get(WORD..self.len().saturating_sub(WORD)) {
            for chunk in inner.chunks(WORD) {
                let chunk = Self::new(chunk);
                hash = fold(hash ^ chunk.head, chunk.tail);
            }
        }
        hash as usize
    }
}

/// Multiplies into 128 bits and folds them, which lets every bit of both reach every bit.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0x9e37_79b9_7f4a_7c15) * u128::from(b ^ 0xd1b5_4a32_d192_ed03);
    product as u64 ^ (product >> u64::BITS) as u64
}
