//! The head of a whole answer, as HTTP/1.1 writes it (RFC 9112, 4).

use http::{HeaderMap, StatusCode};

use crate::{byte_table::alphanumeric_and, date::date, field_lines::FieldLines};

/// What is gathered of answers, usually: no more memory is moved while it grows.
const GATHERED: usize = 512;
/// Content from this size on is not copied behind its head.
pub(super) const APART: usize = 4 * 1024;
/// Larger content is hyper's to write: it does not copy what the socket has no room for.
pub(super) const LARGEST: usize = 64 * 1024;

/// Status and header fields.
#[derive(Clone, Copy)]
pub(super) enum Head<'a> {
    Lines(StatusCode, &'a FieldLines),
    Map(StatusCode, &'a HeaderMap),
}

/// Writes the head of an answer with content of so many bytes, or to HEAD. False, and nothing, where it
/// says more than how to understand the content: that is hyper's to write.
pub(super) fn write_head(
    head: Head<'_>,
    length: usize,
    is_head: bool,
    gathered: &mut Vec<u8>,
) -> bool {
    let (Head::Lines(status, _) | Head::Map(status, _)) = head;
    // RFC 9110, 8.6: of these nothing is said; what HEAD is to be told, the handler may not have said.
    let has_no_content = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if status.is_informational() || (length == 0 && is_head) || (length > 0 && has_no_content) {
        return false;
    }
    if gathered.capacity() == 0 {
        gathered.reserve(GATHERED);
    }
    let start = gathered.len();
    if status == StatusCode::OK {
        gathered.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    } else {
        let Some(reason) = status.canonical_reason() else {
            return false;
        };
        gathered.extend_from_slice(b"HTTP/1.1 ");
        gathered.extend_from_slice(status.as_str().as_bytes());
        gathered.push(b' ');
        gathered.extend_from_slice(reason.as_bytes());
        gathered.extend_from_slice(b"\r\n");
    }
    let is_written = match head {
        Head::Lines(_, fields) => {
            if let Some(media_type) = fields.media_type() {
                gathered.extend_from_slice(b"content-type: ");
                gathered.extend_from_slice(media_type.as_bytes());
                gathered.extend_from_slice(b"\r\n");
            }
            fields
                .lines()
                .all(|(name, value)| write_field(name, value, gathered))
        }
        Head::Map(_, map) => map
            .iter()
            .all(|(name, value)| write_field(name.as_str().as_bytes(), value.as_bytes(), gathered)),
    };
    if !is_written {
        gathered.truncate(start);
        return false;
    }
    if !has_no_content {
        gathered.extend_from_slice(b"content-length: ");
        gathered.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
        gathered.extend_from_slice(b"\r\n");
    }
    gathered.extend_from_slice(b"date: ");
    gathered.extend_from_slice(&date());
    gathered.extend_from_slice(b"\r\n\r\n");
    true
}

fn write_field(name: &[u8], value: &[u8], gathered: &mut Vec<u8>) -> bool {
    let is_valid = !name.is_empty()
        && name.iter().all(|byte| IN_A_NAME[usize::from(*byte)])
        && value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    if !is_valid || is_of_framing(name) {
        return false;
    }
    gathered.extend(name.iter().map(u8::to_ascii_lowercase));
    gathered.extend_from_slice(b": ");
    gathered.extend_from_slice(value);
    gathered.extend_from_slice(b"\r\n");
    true
}

/// Whether a field says something of the connection, or of what hyper adds by itself.
fn is_of_framing(name: &[u8]) -> bool {
    let names: &[&str] = match name.len() {
        4 => &["date"],
        7 => &["trailer", "upgrade"],
        10 => &["connection", "keep-alive"],
        14 => &["content-length"],
        17 => &["transfer-encoding"],
        _ => return false,
    };
    names
        .iter()
        .any(|framing| name.eq_ignore_ascii_case(framing.as_bytes()))
}

/// `tchar` (RFC 9110, 5.6.2).
const IN_A_NAME: [bool; 256] = alphanumeric_and(b"!#$%&'*+-.^_`|~");
