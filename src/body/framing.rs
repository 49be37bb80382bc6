//! The framing of content: how its end is known, and the lines around a chunk.

use std::io::Write;

/// How the end of the content is known (RFC 9112, 6.3).
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Framing {
    Chunked,
    /// By its Content-Length.
    Counted,
    /// By the end of the connection.
    None,
}

/// How long the line is, at most, that a chunk begins with.
pub(crate) const CHUNK_SIZE: usize = 2 * size_of::<usize>() + 2;

/// What ends a chunk (RFC 9112, 7.1).
pub(crate) const CHUNK_END: &[u8] = b"\r\n";

/// What ends chunked content.
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The line that a chunk begins with.
pub(crate) fn chunk_size(length: usize, line: &mut [u8; CHUNK_SIZE]) -> &[u8] {
    let mut left = &mut line[..];
    let _ = write!(left, "{length:x}\r\n");
    let unused = left.len();
    &line[..line.len() - unused]
}
