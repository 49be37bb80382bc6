//! Requests that have come whole, and that it does not take hyper to read.
//!
//! Most requests are of this kind: one piece of memory holds the head and all of the body. What is parsed here
//! is what every reader of HTTP/1.1 understands in the same way; all else is left to hyper, for which the same
//! bytes are then the beginning of a request.

use std::{mem::MaybeUninit, ops::Range};

use crate::{
    byte_table::alphanumeric_and,
    config::Config,
    handler::Fields,
    header_section::{LastSection, MOST_FIELDS, RepeatedFields, body_length},
    router::Method,
};

/// What stands between the target and the header section.
const AFTER_TARGET: &[u8] = b" HTTP/1.1\r\n";

/// Room for header fields.
pub(crate) type Room<'a> = [MaybeUninit<httparse::Header<'a>>; MOST_FIELDS];

/// A request, in the memory that it was read into.
pub(crate) struct WholeRequest<'a> {
    pub(crate) method: Method,
    /// Path and query: characters that a URI has (RFC 3986, 3.3 and 3.4), the first of them `/`.
    pub(crate) target: &'a str,
    pub(crate) fields: Fields<'a>,
    /// Where the header section is, if it is to be remembered.
    pub(crate) section: Option<Range<usize>>,
    pub(crate) body: &'a [u8],
    /// How many bytes it has.
    pub(crate) length: usize,
}

/// What some bytes are the beginning of.
pub(crate) enum Parsed<'a> {
    Whole(WholeRequest<'a>),
    /// A request that has not come to its end.
    Partly,
    /// Something that hyper is to read, or to refuse.
    Other,
}

/// Looks at the first request of `bytes`, behind one of the header section `last`.
pub(crate) fn parse<'a>(
    bytes: &'a [u8],
    room: &'a mut Room<'a>,
    config: &Config,
    last: &'a LastSection,
) -> Parsed<'a> {
    let repeated = (last.repeated()).and_then(|fields| parse_repeated(bytes, fields, config));
    if let Some(request) = repeated {
        return Parsed::Whole(request);
    }
    let mut head = httparse::Request::new(&mut []);
    let head_length = match head.parse_with_uninit_headers(bytes, room) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Parsed::Partly,
        Err(_) => return Parsed::Other,
    };
    let (Some(method), Some(target), Some(1)) = (head.method, head.path, head.version) else {
        return Parsed::Other;
    };
    let Some(method) = Method::from_bytes(method.as_bytes()) else {
        return Parsed::Other;
    };
    let fields = &*head.headers;
    let Some(body_length) = body_length(fields) else {
        return Parsed::Other;
    };
    if fields.len() > config.max_headers_count || !is_plain(target, head_length, config) {
        return Parsed::Other;
    }
    let target_end = target.as_ptr() as usize - bytes.as_ptr() as usize + target.len();
    let section = (bytes[target_end..].starts_with(AFTER_TARGET))
        .then(|| target_end + AFTER_TARGET.len()..head_length);
    match bytes[head_length..].get(..body_length) {
        Some(body) => Parsed::Whole(WholeRequest {
            method,
            target,
            fields: Fields::Sent(fields),
            section,
            body,
            length: head_length + body_length,
        }),
        None => Parsed::Other,
    }
}

/// The first request of `bytes`, where it has come whole and its header section is this one.
fn parse_repeated<'a>(
    bytes: &'a [u8],
    fields: &'a RepeatedFields,
    config: &Config,
) -> Option<WholeRequest<'a>> {
    let method_end = bytes.iter().position(|byte| *byte == b' ')?;
    let method = Method::from_bytes(&bytes[..method_end])?;
    let rest = &bytes[method_end + 1..];
    let target_length = rest.iter().position(|byte| *byte == b' ')?;
    let (target, rest) = rest.split_at(target_length);
    let rest = rest.strip_prefix(AFTER_TARGET)?;
    let rest = rest.strip_prefix(fields.section())?;
    let body = rest.get(..fields.body_length())?;
    let target = str::from_utf8(target).ok()?;
    let head_length = bytes.len() - rest.len();
    is_plain(target, head_length, config).then(|| WholeRequest {
        method,
        target,
        fields: Fields::Repeated(fields),
        section: None,
        body,
        length: head_length + body.len(),
    })
}

/// Whether a target is path and query, and it and its head are within the limits.
fn is_plain(target: &str, head_length: usize, config: &Config) -> bool {
    let bytes = target.as_bytes();
    bytes.len() <= config.max_url_length
        && head_length <= config.max_header_size
        && bytes.first() == Some(&b'/')
        && bytes.iter().all(|byte| IN_A_TARGET[usize::from(*byte)])
}

/// `pchar`, `/` and `?`.
const IN_A_TARGET: [bool; 256] = alphanumeric_and(b"-._~!$&'()*+,;=:@%/?");
