//! The records that cross between Rust and JavaScript, in arrays of 32-bit words.
//!
//! `lib/bridge/protocol.ts` is the same table for the other side; both change together.
//!
//! A record's first word holds its kind in bits 0–7, a small operand in bits 8–15 and flags in bits
//! 16–31; a request that no route matched, or of OPTIONS, has the methods of its path in bits 24–30. Texts and content
//! follow the words in byte regions of their own, in record order. Lengths are of bytes; those of texts from JavaScript are of
//! UTF-16 code units. A request is known by its slot (an
//! index, reused) and its serial number (never reused while it could be confused).
//!
//! To JavaScript:
//!
//! | record | words after the first | operand | bytes |
//! | --- | --- | --- | --- |
//! | `REQUEST` | slot, serial, route, lengths of URL, decoded path, IP address and header fields, the fields' place, length of content, port, parameter count, then start and end of each parameter in the path | method | text: URL, decoded path, IP address, header fields, content of ASCII; other content |
//! | `CANCELLED` | slot, serial | | |
//! | `CONSUMED` | slot, serial, bytes | | |
//! | `COMPLETED` | slot, serial | | |
//! | `DRAINED` | slot, serial | | |
//! | `CLOSED` | | | |
//! | `FILE_FAILED` | slot, serial, error number, or 0 where the length is not as declared | | |
//! | `SUBSCRIBED` | slot, serial | | |
//! | `BODY` | slot, serial | | the next chunk of the request's body, handed over apart |
//! | `BODY_END` | slot, serial | | |
//! | `BODY_FAILED` | slot, serial, status that says why, and the limit in bytes where there is one | | |
//!
//! From JavaScript:
//!
//! | record | words after the first | operand | bytes |
//! | --- | --- | --- | --- |
//! | `RESPOND` | slot, serial, status, lengths of header fields and content | media type | header fields as text; content where its source says |
//! | `STREAM` | slot, serial, status, length of header fields | media type | header fields as text |
//! | `CHUNK` | slot, serial, length | | content where its source says |
//! | `END`, `FAIL` | slot, serial | | |
//! | `FILE` | slot, serial | | the next of the files handed over |
//! | `READ` | slot, serial | | |
//! | `HEARTBEAT` | slot, serial, milliseconds | | |
//! | `SUBSCRIBE` | slot, serial, channel, lengths of the last event's id and of the topics | | text: id; `topic LF` for each topic |
//!
//! `HEARTBEAT` and `SUBSCRIBE` follow the `STREAM` of their response; after `SUBSCRIBE` comes nothing more
//! of it.
//!
//! Of a request's body that is streamed JavaScript is told, with `BODY` or one of the other two, as often as it
//! has sent `READ`.
//!
//! Neither names nor values of header fields can hold a line feed. Those of an answer are `name LF value LF` for
//! each. Those of a request are `name LF` for each, `LF`, and each value behind its length: clients of one kind
//! send the same names again and again, and JavaScript knows them. The length is one byte, or `LONG_VALUE` and
//! four bytes, the lowest first.
//!
//! The fields of a request that its connection has sent before in the same words have a place, where they are kept
//! until others take it: those of no length are what is kept there. Others have `NOT_KEPT`.

pub(super) const REQUEST: u32 = 1;
pub(super) const CANCELLED: u32 = 2;
pub(super) const CONSUMED: u32 = 3;
pub(super) const COMPLETED: u32 = 4;
pub(super) const CLOSED: u32 = 5;
pub(super) const FILE_FAILED: u32 = 6;
pub(super) const DRAINED: u32 = 7;
pub(super) const SUBSCRIBED: u32 = 8;
pub(super) const BODY: u32 = 9;
pub(super) const BODY_END: u32 = 10;
pub(super) const BODY_FAILED: u32 = 11;

pub(super) const RESPOND: u32 = 1;
/// How many words a whole response is.
pub(super) const RESPOND_WORDS: usize = 6;
pub(super) const STREAM: u32 = 2;
pub(super) const CHUNK: u32 = 3;
pub(super) const END: u32 = 4;
pub(super) const FAIL: u32 = 5;
/// Written by Rust itself, as the file is handed over in a call of its own.
pub(super) const FILE: u32 = 6;
pub(super) const HEARTBEAT: u32 = 7;
pub(super) const SUBSCRIBE: u32 = 8;
pub(super) const READ: u32 = 9;

/// Of a request: the path that its parameters are ranges of is UTF-8 beyond ASCII.
pub(super) const UTF8_PATH: u32 = 1 << 16;
/// Of a request: its version is HTTP/1.0.
pub(super) const HTTP_10: u32 = 1 << 17;
/// Of a request: the connection is encrypted.
pub(super) const ENCRYPTED: u32 = 1 << 18;
/// Of a request: its version is HTTP/2.
pub(super) const HTTP_2: u32 = 1 << 20;
/// Of a request: the content is handed over as a `Buffer` of its own.
pub(super) const CONTENT_APART: u32 = 1 << 19;
/// Of a request: the content is ASCII, and stands in the text region.
pub(super) const CONTENT_ASCII: u32 = 1 << 22;
/// Of a request: the content is read as it comes.
pub(super) const CONTENT_STREAMED: u32 = 1 << 21;

/// The place of header fields that are not kept.
pub(super) const NOT_KEPT: u32 = 0;
/// Stands before the length of a header field's value that is so long or longer.
pub(super) const LONG_VALUE: u8 = 255;

/// Of a request that no route matched: where the methods of its path begin, a bit for each.
pub(super) const ALLOWED_SHIFT: u32 = 24;

/// Of an answer: the content stands in the text region, as UTF-8.
pub(super) const CONTENT_TEXT: u32 = 1 << 16;
/// Of an answer: the content stands in the byte region.
pub(super) const CONTENT_BYTES: u32 = 1 << 17;
/// Of an answer: the content is the next of the buffers handed over apart.
pub(super) const CONTENT_BUFFER: u32 = 1 << 18;

/// Of a streamed answer: its head leaves with the first of the content, and not before.
pub(super) const AWAITS_CONTENT: u32 = 1 << 16;

/// Of a subscription: JavaScript wants to hear of it.
pub(super) const FOLLOWED: u32 = 1 << 16;
/// Of a subscription: of the topics that follow only. Without it they are none, and all are meant.
pub(super) const TOPICS: u32 = 1 << 17;

/// Media types that need no header text.
pub(super) const MEDIA_TYPES: [Option<&str>; 3] = [
    None,
    Some("application/json"),
    Some("text/plain; charset=utf-8"),
];

/// Request content up to this size crosses with its batch, in bytes.
pub(super) const INLINE_CONTENT: usize = 16 * 1024;
