//! The one form of a request's path that every decision is made on.

use std::borrow::Cow;

use thiserror::Error;

use super::word::{self, ONES};

/// A request's path, percent-decoded once. No segment of it is `.` or `..`, or holds a `/` that
/// separates nothing, a `\` or a NUL: it can be split on `/` without doubt, and joined to a directory
/// without leaving it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanonicalPath<'a> {
    text: Cow<'a, str>,
    slashes: u32,
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

    /// How many segments it has.
    pub(super) fn segments(&self) -> u32 {
        self.slashes - u32::from(self.text.ends_with('/'))
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
/// A [`PathError`]; of several, any.
#[inline]
pub fn canonicalize(raw_path: &str) -> Result<CanonicalPath<'_>, PathError> {
    if u32::try_from(raw_path.len()).is_err() {
        return Err(PathError::TooLong);
    }
    if let Some(slashes) = plain_slashes(raw_path.as_bytes()) {
        return Ok(CanonicalPath {
            text: Cow::Borrowed(raw_path),
            slashes,
            empty_segment: false,
        });
    }
    let (decoded, empty_segment) = look_closer(raw_path)?;
    let text = decoded.map_or(Cow::Borrowed(raw_path), Cow::Owned);
    Ok(CanonicalPath {
        slashes: text.bytes().filter(|byte| *byte == b'/').count() as u32,
        text,
        empty_segment,
    })
}

/// The decoded path, if that is another than the raw one, and whether a segment of it is empty.
#[cold]
fn look_closer(raw_path: &str) -> Result<(Option<String>, bool), PathError> {
    if !raw_path.starts_with('/') {
        return Err(PathError::NotAbsolute);
    }
    let decoded = raw_path
        .contains('%')
        .then(|| percent_decode(raw_path))
        .transpose()?;
    let text = decoded.as_deref().unwrap_or(raw_path);
    if let Some((at, character)) = text.char_indices().find(|(_, c)| matches!(c, '\\' | '\0')) {
        let offset = raw_offset(raw_path, at);
        return Err(PathError::ForbiddenCharacter { character, offset });
    }
    let mut at = 0;
    for segment in text.split('/') {
        if matches!(segment, "." | "..") {
            return Err(PathError::DotSegment {
                offset: raw_offset(raw_path, at),
            });
        }
        at += segment.len() + 1;
    }
    let empty_segment = text.contains("//");
    Ok((decoded, empty_segment))
}

/// Decodes all segments at once: as none may hold a `/`, those of the raw path still separate them.
fn percent_decode(raw_path: &str) -> Result<String, PathError> {
    let mut bytes = Vec::with_capacity(raw_path.len());
    let mut rest = raw_path.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = after;
            continue;
        }
        let offset = raw_path.len() - rest.len();
        match (escaped(after), after.get(2..)) {
            (Some(b'/'), _) => {
                return Err(PathError::ForbiddenCharacter {
                    character: '/',
                    offset,
                });
            }
            (Some(byte), Some(after)) => {
                bytes.push(byte);
                rest = after;
            }
            _ => return Err(PathError::MalformedEscape { offset }),
        }
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        PathError::InvalidUtf8 {
            offset: raw_offset(raw_path, at),
        }
    })
}

/// The byte that the two digits after a `%` stand for.
fn escaped(after: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*after.get(at)?).to_digit(16);
    u8::try_from(digit(0)? << 4 | digit(1)?).ok()
}

/// Where in a well-formed raw path the decoded byte at `index` comes from.
fn raw_offset(raw_path: &str, index: usize) -> usize {
    let mut offset = 0;
    for _ in 0..index {
        offset += if raw_path.as_bytes().get(offset) == Some(&b'%') {
            3
        } else {
            1
        };
    }
    offset
}

/// How many slashes a path has that is already canonical and has no empty segment; `None` may also
/// mean that it takes a closer look. Some for nearly every request, so it looks at eight bytes at a
/// time.
#[inline]
fn plain_slashes(path: &[u8]) -> Option<u32> {
    let (Some(b'/'), Some(last)) = (path.first(), path.last_chunk()) else {
        return plain_slashes_short(path);
    };
    let (chunks, rest) = path.as_chunks();
    let mut found = 0;
    let mut after_slash = 0;
    let mut slashes = 0;
    for chunk in chunks {
        let word = u64::from_le_bytes(*chunk);
        found |= suspicious(word, &mut after_slash);
        slashes += count_slashes(word);
    }
    if !rest.is_empty() {
        // Overlaps the chunk before it, so nothing is carried over, and counted once.
        let word = u64::from_le_bytes(*last);
        found |= suspicious(word, &mut 0);
        slashes += count_slashes(word >> (8 * (word::WORD - rest.len())));
    }
    (found == 0).then_some(slashes)
}

/// Exact where no `.` follows a `/`, as in every path that has passed `suspicious`.
#[inline]
fn count_slashes(word: u64) -> u32 {
    word::mark(word, b'/').count_ones()
}

/// Marks `%`, `\`, NUL, and a `/` or `.` that follows a `/`. `after_slash` is carried from word to
/// word. Where [`word::mark`] takes a `.` after a `/` for another `/`, that `.` is marked anyway.
#[inline]
fn suspicious(word: u64, after_slash: &mut u64) -> u64 {
    let slashes = word::mark(word, b'/');
    // `.` and `/` differ in their lowest bit only.
    let slashes_and_dots = word::mark(word | ONES, b'/');
    let follows = slashes_and_dots & (slashes << 8 | *after_slash);
    *after_slash = slashes >> 56;
    follows | word::mark(word, b'%') | word::mark(word, b'\\') | word::mark(word, 0)
}

#[inline]
fn plain_slashes_short(path: &[u8]) -> Option<u32> {
    let is_plain = path.first() == Some(&b'/')
        && !path.iter().any(|byte| matches!(byte, b'%' | b'\\' | 0))
        && !path.windows(2).any(|pair| matches!(pair, b"//" | b"/."));
    is_plain.then(|| path.iter().filter(|byte| **byte == b'/').count() as u32)
}
