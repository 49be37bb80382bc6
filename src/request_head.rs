//! A request's head, checked before anything is made of it: what hyper lets pass, and the limits.

use http::{HeaderMap, HeaderValue, Request, StatusCode, Version, header};

use crate::{byte_table::alphanumeric_and, config::Config};

/// Why a request goes no further than its head.
pub(crate) struct RefusedHead {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

/// Says in `Host` what the target says of the host: that is whom the request is for, and handlers know no
/// other. Over HTTP/2 the two have to agree (RFC 9113, 8.3.1), over HTTP/1.1 `Host` counts for nothing then
/// (RFC 9112, 3.2.2). How many fields there have to be is left to [`check_head`].
pub(crate) fn name_host<B>(request: &mut Request<B>) {
    let authority = request.uri().authority();
    let Some(named) = authority.and_then(|named| HeaderValue::from_str(named.as_str()).ok()) else {
        return;
    };
    let is_http2 = request.version() == Version::HTTP_2;
    let headers = request.headers_mut();
    let hosts = headers.get_all(header::HOST).iter().count();
    let agrees = |host: &HeaderValue| host.as_bytes().eq_ignore_ascii_case(named.as_bytes());
    if is_http2 && !headers.get(header::HOST).is_none_or(agrees) {
        headers.append(header::HOST, named);
    } else if hosts == 1 || (hosts == 0 && is_http2) {
        headers.insert(header::HOST, named);
    }
}

/// Checks a head against the protocol (RFC 9112) and the limits of `config`.
pub(crate) fn check_head<B>(request: &Request<B>, config: &Config) -> Result<(), RefusedHead> {
    if let Some(message) = malformed(request) {
        return Err(RefusedHead {
            status: StatusCode::BAD_REQUEST,
            message: message.to_owned(),
        });
    }
    let target = target_length(request);
    let limit = config.max_url_length;
    if target > limit {
        return Err(RefusedHead {
            status: StatusCode::URI_TOO_LONG,
            message: format!("the URL is longer than the limit of {limit} bytes"),
        });
    }
    let too_large = |message| RefusedHead {
        status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        message,
    };
    let headers = request.headers();
    let limit = config.max_headers_count;
    if headers.len() > limit {
        let message = format!("more header fields than the limit of {limit}");
        return Err(too_large(message));
    }
    let limit = config.max_header_size;
    // "GET", " ", target, " HTTP/1.1", CR LF.
    let line = request.method().as_str().len() + 1 + target + 11;
    if line + fields_length(headers) > limit {
        let message = format!("the head is larger than the limit of {limit} bytes");
        return Err(too_large(message));
    }
    Ok(())
}

/// Whether the client wants the connection to end with the response (RFC 9112, 9.6).
pub(crate) fn asks_to_close(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONNECTION).iter().any(|value| {
        (value.as_bytes().split(|byte| *byte == b','))
            .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
    })
}

/// What is wrong with a request that hyper lets pass.
fn malformed<B>(request: &Request<B>) -> Option<&'static str> {
    let headers = request.headers();
    let hosts = headers.get_all(header::HOST).iter().count();
    if hosts > 1 || (hosts == 0 && request.version() >= Version::HTTP_11) {
        return Some("a request names one host (RFC 9112, 3.2, and RFC 9113, 8.3.1)");
    }
    let host = headers.get(header::HOST);
    if host.is_some_and(|host| !is_host_and_port(host.as_bytes())) {
        return Some("Host names no host (RFC 9112, 3.2)");
    }
    let (scheme, authority) = (request.uri().scheme_str(), request.uri().authority());
    if scheme.is_some_and(|scheme| !matches!(scheme, "http" | "https"))
        || authority.is_some_and(|authority| !is_host_and_port(authority.as_str().as_bytes()))
    {
        return Some("the request target is no URI of HTTP (RFC 9112, 3.2.2)");
    }
    // hyper looks at the last coding only. Whoever sits in front of us may look at the first.
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let understood = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    if codings.next().is_some_and(|coding| !understood(coding)) || codings.next().is_some() {
        return Some("the only Transfer-Encoding supported is `chunked` (RFC 9112, 6.1)");
    }
    None
}

/// `uri-host [ ":" port ]` (RFC 9110, 7.2). User information is no part of it (4.2.4).
pub(crate) fn is_host_and_port(text: &[u8]) -> bool {
    let (host_is_valid, port) = match text.strip_prefix(b"[") {
        Some(rest) => match rest.iter().position(|&byte| byte == b']') {
            Some(end) => (is_ip_literal(&rest[..end]), &rest[end + 1..]),
            None => return false,
        },
        None => {
            let end = text.iter().position(|&byte| byte == b':');
            let (name, port) = text.split_at(end.unwrap_or(text.len()));
            (is_registered_name(name), port)
        }
    };
    let port_is_valid = match port {
        [] | [b':'] => true,
        [b':', digits @ ..] => str::from_utf8(digits).is_ok_and(|digits| {
            digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u16>().is_ok()
        }),
        _ => false,
    };
    host_is_valid && port_is_valid
}

/// What is between the brackets (RFC 3986, 3.2.2). Of an address of a later version than 6 nothing is
/// known.
fn is_ip_literal(text: &[u8]) -> bool {
    str::from_utf8(text).is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok())
}

/// RFC 3986, 3.2.2: it may be empty.
fn is_registered_name(mut name: &[u8]) -> bool {
    while let Some(special) = name.iter().position(|&byte| !IN_A_NAME[usize::from(byte)]) {
        name = match &name[special..] {
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                rest
            }
            _ => return false,
        };
    }
    true
}

/// `unreserved` and `sub-delims` (RFC 3986, 2.2 and 2.3), looked up: every request has a host.
const IN_A_NAME: [bool; 256] = alphanumeric_and(b"-._~!$&'()*+,;=");

/// The bytes of a request's target as HTTP/1.1 writes it. HTTP/2 has a field for its origin (RFC 9113,
/// 8.3.1), which is counted as `Host`.
fn target_length<B>(request: &Request<B>) -> usize {
    let uri = request.uri();
    let origin = match (uri.scheme_str(), uri.authority()) {
        (Some(scheme), Some(authority)) if request.version() != Version::HTTP_2 => {
            scheme.len() + "://".len() + authority.as_str().len()
        }
        _ => 0,
    };
    origin + uri.path_and_query().map_or(0, |path| path.as_str().len())
}

/// The bytes of a header section as HTTP/1.1 writes it, with the empty line that ends it.
fn fields_length(headers: &HeaderMap) -> usize {
    let fields = headers.iter();
    let length = |(name, value): (&header::HeaderName, &HeaderValue)| {
        name.as_str().len() + ": ".len() + value.len() + "\r\n".len()
    };
    fields.map(length).sum::<usize>() + "\r\n".len()
}
