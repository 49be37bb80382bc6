//! Requests that have come whole, and that it does not take hyper to read.
//!
//! Most requests are of this kind: one piece of memory holds the head and all of the body. What is parsed here
//! is what every reader of HTTP/1.1 understands in the same way; all else is left to hyper, for which the same
//! bytes are then the beginning of a request.

use std::mem::MaybeUninit;

use crate::{
    byte_table::alphanumeric_and, config::Config, request_head::is_host_and_port, router::Method,
};

/// The most header fields of such a request.
pub(crate) const MOST_FIELDS: usize = 64;

/// Room for header fields.
pub(crate) type Room<'a> = [MaybeUninit<httparse::Header<'a>>; MOST_FIELDS];

/// A request, in the memory that it was read into.
pub(crate) struct WholeRequest<'a> {
    pub(crate) method: Method,
    /// Path and query: characters that a URI has (RFC 3986, 3.3 and 3.4), the first of them `/`.
    pub(crate) target: &'a str,
    pub(crate) fields: &'a [httparse::Header<'a>],
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

/// Looks at the first request of `bytes`.
pub(crate) fn parse<'a>(bytes: &'a [u8], room: &'a mut Room<'a>, config: &Config) -> Parsed<'a> {
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
    let is_within_limits = target.len() <= config.max_url_length
        && fields.len() <= config.max_headers_count
        && head_length <= config.max_header_size;
    let Some(body_length) = body_length(fields) else {
        return Parsed::Other;
    };
    if !is_within_limits || !is_path_and_query(target) {
        return Parsed::Other;
    }
    match bytes[head_length..].get(..body_length) {
        Some(body) => Parsed::Whole(WholeRequest {
            method,
            target,
            fields,
            body,
            length: head_length + body_length,
        }),
        None => Parsed::Other,
    }
}

/// The length of the body of a request of these fields, one of which is `Host`; `None` where they say
/// something of the connection, or how to send the body, that is for hyper to hear.
fn body_length(fields: &[httparse::Header<'_>]) -> Option<usize> {
    let mut has_host = false;
    let mut length = None;
    for field in fields {
        let is = |name: &str| field.name.eq_ignore_ascii_case(name);
        // By its length first: few names have the length of one of these.
        let is_plain = match field.name.len() {
            4 if is("host") => {
                !std::mem::replace(&mut has_host, true) && is_host_and_port(field.value)
            }
            14 if is("content-length") => length.replace(digits(field.value)?).is_none(),
            10 if is("connection") => field.value.eq_ignore_ascii_case(b"keep-alive"),
            6 => !is("expect"),
            7 => !is("upgrade"),
            17 => !is("transfer-encoding"),
            _ => true,
        };
        if !is_plain {
            return None;
        }
    }
    has_host.then(|| length.unwrap_or(0))
}

/// `Content-Length` of a body that could be here (RFC 9110, 8.6).
fn digits(value: &[u8]) -> Option<usize> {
    const LONGEST: usize = 9;
    if value.is_empty() || value.len() > LONGEST {
        return None;
    }
    value.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit()
            .then(|| 10 * number + usize::from(byte - b'0'))
    })
}

fn is_path_and_query(target: &str) -> bool {
    let bytes = target.as_bytes();
    bytes.first() == Some(&b'/') && bytes.iter().all(|byte| IN_A_TARGET[usize::from(*byte)])
}

/// `pchar`, `/` and `?`.
const IN_A_TARGET: [bool; 256] = alphanumeric_and(b"-._~!$&'()*+,;=:@%/?");
