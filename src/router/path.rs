//! The one form of a request's path that every decision is made on.

use std::borrow::Cow;
use std::str;

use thiserror::Error;

/// A request's path, percent-decoded once. No segment of it is `.` or `..`, or holds a `/` that
/// separates nothing, a `\` or a NUL: it can be split on `/` without doubt, and joined to a directory
/// without leaving it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanonicalPath<'a> {
    text: Cow<'a, str>,
    empty_segment: bool,
}

impl CanonicalPath<'_> {
    /// The decoded path; it begins with `/`, and ends with one where the raw path did.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether this is the raw path itself: nothing was encoded.
    pub fn is_raw(&self) -> bool {
        matches!(self.text, Cow::Borrowed(_))
    }

    /// Whether two slashes follow each other.
    pub(super) fn has_empty_segment(&self) -> bool {
        self.empty_segment
    }
}

/// Why a path has no canonical form. The answer is 400 (Bad Request).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PathError {
    /// The path does not begin with `/`: it is empty, the `*` of `OPTIONS *`, or no path at all.
    #[error("the path does not begin with `/`")]
    NotAbsolute,
    /// The path is of 4 GiB or more, so that its offsets do not fit [`Params`](super::Params).
    #[error("the path is too long")]
    TooLong,
    /// A `%` that two hexadecimal digits do not follow.
    #[error("malformed percent-encoding at byte {offset}")]
    MalformedEscape {
        /// Of the `%`, in the raw path.
        offset: usize,
    },
    /// A segment that is not UTF-8 once decoded.
    #[error("invalid UTF-8 at byte {offset}")]
    InvalidUtf8 {
        /// Of the first byte, or its escape, that is no part of a character, in the raw path.
        offset: usize,
    },
    /// A `\`, a NUL or an encoded `/`: what a file system could take for more than a name.
    #[error("forbidden character {character:?} at byte {offset}")]
    ForbiddenCharacter {
        /// The decoded character.
        character: char,
        /// Of the character, or its escape, in the raw path.
        offset: usize,
    },
    /// A segment that is `.` or `..` once decoded.
    #[error("segment `.` or `..` at byte {offset}")]
    DotSegment {
        /// Of the segment, in the raw path.
        offset: usize,
    },
}

/// Brings the path of a request (without its query) into its canonical form: it is split on `/`,
/// then each segment is percent-decoded, exactly once, as UTF-8. It allocates only where there is
/// something to decode.
///
/// ```
/// use wapix::router::{PathError, canonicalize};
///
/// assert_eq!(canonicalize("/caf%C3%A9/100%2525")?.as_str(), "/café/100%25");
/// assert_eq!(
///     canonicalize("/files/..%2Fsecret"),
///     Err(PathError::ForbiddenCharacter { character: '/', offset: 9 }),
/// );
/// # Ok::<(), PathError>(())
/// ```
///
/// # Errors
///
/// The first [`PathError`] of the path, from its beginning.
pub fn canonicalize(raw_path: &str) -> Result<CanonicalPath<'_>, PathError> {
    if u32::try_from(raw_path.len()).is_err() {
        return Err(PathError::TooLong);
    }
    if is_plain(raw_path.as_bytes()) {
        return Ok(CanonicalPath {
            text: Cow::Borrowed(raw_path),
            empty_segment: false,
        });
    }
    decode(raw_path)
}

/// The path of `canonicalize`'s contract, one segment after the other.
fn decode(raw_path: &str) -> Result<CanonicalPath<'_>, PathError> {
    let segments = raw_path.strip_prefix('/').ok_or(PathError::NotAbsolute)?;
    let mut text = String::with_capacity(raw_path.len());
    let mut scratch = Vec::new();
    let mut offset = 1;
    for segment in segments.split('/') {
        scratch.clear();
        decode_segment(segment, offset, &mut scratch)?;
        let decoded = str::from_utf8(&scratch).map_err(|error| PathError::InvalidUtf8 {
            offset: offset + raw_offset(segment, error.valid_up_to()),
        })?;
        if matches!(decoded, "." | "..") {
            return Err(PathError::DotSegment { offset });
        }
        text.push('/');
        text.push_str(decoded);
        offset += segment.len() + 1;
    }
    // An escape is longer than what it stands for.
    let is_raw = text.len() == raw_path.len();
    Ok(CanonicalPath {
        empty_segment: text.contains("//"),
        text: if is_raw {
            Cow::Borrowed(raw_path)
        } else {
            Cow::Owned(text)
        },
    })
}

/// Appends the bytes of `segment`, which begins at `offset`, to `decoded`.
fn decode_segment(segment: &str, offset: usize, decoded: &mut Vec<u8>) -> Result<(), PathError> {
    let bytes = segment.as_bytes();
    let mut index = 0;
    while let Some(&byte) = bytes.get(index) {
        let (value, width) = match byte {
            b'%' => {
                let escape = escaped(bytes, index);
                (
                    escape.ok_or(PathError::MalformedEscape {
                        offset: offset + index,
                    })?,
                    3,
                )
            }
            _ => (byte, 1),
        };
        if matches!(value, b'/' | b'\\' | 0) {
            let character = char::from(value);
            return Err(PathError::ForbiddenCharacter {
                character,
                offset: offset + index,
            });
        }
        decoded.push(value);
        index += width;
    }
    Ok(())
}

/// The byte that the `%` at `index` and the two digits after it stand for.
fn escaped(bytes: &[u8], index: usize) -> Option<u8> {
    let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
    u8::try_from(digit(index + 1)? << 4 | digit(index + 2)?).ok()
}

/// Where in a well-formed raw segment the decoded byte at `index` comes from.
fn raw_offset(segment: &str, index: usize) -> usize {
    let mut offset = 0;
    for _ in 0..index {
        offset += if segment.as_bytes().get(offset) == Some(&b'%') {
            3
        } else {
            1
        };
    }
    offset
}

const WORD: usize = size_of::<u64>();
const ONES: u64 = u64::MAX / 0xff;
const HIGH_BITS: u64 = ONES << 7;

/// Whether a path is already canonical and has no empty segment; `false` may also mean that it
/// takes a closer look. True for nearly every request, so it looks at eight bytes at a time.
fn is_plain(path: &[u8]) -> bool {
    let (Some(b'/'), Some(last)) = (path.first(), path.last_chunk::<WORD>()) else {
        return is_plain_short(path);
    };
    let (words, rest) = path.as_chunks::<WORD>();
    let mut found = 0;
    let mut after_slash = 0;
    for word in words {
        found |= suspicious(u64::from_le_bytes(*word), &mut after_slash);
    }
    if !rest.is_empty() {
        // Overlaps the word before it, so nothing is carried over.
        after_slash = 0;
        found |= suspicious(u64::from_le_bytes(*last), &mut after_slash);
    }
    found == 0
}

/// Marks `%`, `\`, NUL, and a `/` or `.` that follows a `/`. `after_slash` is carried from word to word.
fn suspicious(word: u64, after_slash: &mut u64) -> u64 {
    let slashes = zero_bytes(word ^ (ONES * u64::from(b'/')));
    // `.` and `/` differ in their lowest bit only.
    let slashes_and_dots = zero_bytes((word | ONES) ^ (ONES * u64::from(b'/')));
    let follows = slashes_and_dots & (slashes << 8 | *after_slash);
    *after_slash = slashes >> 56;
    follows
        | zero_bytes(word)
        | zero_bytes(word ^ (ONES * u64::from(b'%')))
        | zero_bytes(word ^ (ONES * u64::from(b'\\')))
}

/// The high bit of each byte of `word` that is zero, and no other bit.
fn zero_bytes(word: u64) -> u64 {
    !(((word & !HIGH_BITS) + !HIGH_BITS) | word) & HIGH_BITS
}

fn is_plain_short(path: &[u8]) -> bool {
    path.first() == Some(&b'/')
        && !path.iter().any(|byte| matches!(byte, b'%' | b'\\' | 0))
        && !path.windows(2).any(|pair| matches!(pair, b"//" | b"/."))
}
