//! Forms are written as a client writes them, and parsed; whatever bytes there are do no harm.
#![no_main]

use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wapix::parse_multipart;

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    Raw {
        content_type: &'a str,
        body: &'a [u8],
    },
    /// The boundary is known, so that more of the parser is reached.
    Bounded(&'a [u8]),
    Form {
        parts: Vec<Part<'a>>,
        boundary: u8,
        preamble: &'a [u8],
        epilogue: &'a [u8],
        cut: Option<u16>,
    },
}

#[derive(Arbitrary, Debug)]
struct Part<'a> {
    name: &'a str,
    file_name: Option<&'a str>,
    content_type: Option<u8>,
    content: &'a [u8],
}

const BOUNDARIES: [(&str, &str); 4] = [
    ("XX", "multipart/form-data; boundary=XX"),
    (
        "----WebKitFormBoundary7MA4YWxkTrZu0gW",
        "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
    ),
    (
        "0'()+_,-./:=?Z",
        "multipart/form-data ; charset=utf-8 ;boundary=\"0'()+_,-./:=?Z\"",
    ),
    ("-", "Multipart/Form-Data; Boundary=\"-\""),
];

const CONTENT_TYPES: [&str; 3] = ["text/plain", "application/octet-stream", "image/svg+xml"];

fn contains(text: &[u8], wanted: &str) -> bool {
    text.windows(wanted.len())
        .any(|window| window == wanted.as_bytes())
}

/// A name in quotes (HTML, multipart/form-data encoding algorithm); `None` for one that no client
/// sends, or that another name is sent as too.
fn escape(name: &str) -> Option<String> {
    let is_sent = |c: char| !c.is_control() || matches!(c, '\r' | '\n' | '\u{80}'..);
    let is_ambiguous = ["%22", "%0D", "%0A"]
        .iter()
        .any(|escape| name.contains(escape));
    (name.chars().all(is_sent) && !is_ambiguous).then(|| {
        name.replace('"', "%22")
            .replace('\r', "%0D")
            .replace('\n', "%0A")
    })
}

/// The part as a client writes it, without its boundary; `None` for one that it cannot write so.
fn write(part: &Part<'_>, delimiter: &str) -> Option<Vec<u8>> {
    let mut written = format!(
        "\r\nContent-Disposition: form-data; name=\"{}\"",
        escape(part.name)?
    );
    if let Some(file_name) = part.file_name {
        written.push_str(&format!("; filename=\"{}\"", escape(file_name)?));
    }
    if let Some(content_type) = content_type(part) {
        written.push_str(&format!("\r\nContent-Type: {content_type}"));
    }
    written.push_str("\r\n\r\n");
    let mut written = written.into_bytes();
    // Before it, a content that begins with the boundary would have a line break: that of the header.
    let mut content = b"\r\n".to_vec();
    content.extend_from_slice(part.content);
    content.extend_from_slice(b"\r\n");
    if contains(&content, delimiter) {
        return None;
    }
    written.extend_from_slice(part.content);
    Some(written)
}

fn content_type(part: &Part<'_>) -> Option<&'static str> {
    let index = usize::from(part.content_type?);
    Some(CONTENT_TYPES[index % CONTENT_TYPES.len()])
}

fn check_form(
    parts: &[Part<'_>],
    (boundary, content_type_of_all): (&str, &str),
    preamble: &[u8],
    epilogue: &[u8],
    cut: Option<u16>,
) {
    let delimiter = format!("\r\n--{boundary}");
    let mut body = preamble.to_vec();
    if contains(&body, &delimiter[2..]) {
        return;
    }
    if !body.is_empty() {
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(&delimiter.as_bytes()[2..]);
    for part in parts {
        let Some(written) = write(part, &delimiter) else {
            return;
        };
        body.extend_from_slice(&written);
        body.extend_from_slice(delimiter.as_bytes());
    }
    let end = body.len();
    body.extend_from_slice(b"--");
    body.extend_from_slice(epilogue);
    if let Some(cut) = cut {
        body.truncate(usize::from(cut) % (end + 2));
        assert!(parse_multipart(content_type_of_all, body.into()).is_err());
        return;
    }
    let parsed = parse_multipart(content_type_of_all, body.into()).expect("a client writes it so");
    assert_eq!(parsed.len(), parts.len());
    for (parsed, part) in parsed.iter().zip(parts) {
        assert_eq!(parsed.name, part.name);
        assert_eq!(parsed.file_name.as_deref(), part.file_name);
        assert_eq!(parsed.content_type.as_deref(), content_type(part));
        assert_eq!(parsed.content, part.content);
    }
}

/// What holds of any body: no part is made of nothing.
fn check_any(content_type: &str, body: &[u8]) {
    let Ok(parts) = parse_multipart(content_type, Bytes::copy_from_slice(body)) else {
        return;
    };
    let content: usize = parts.iter().map(|part| part.content.len()).sum();
    // A delimiter, the shortest header field that names, and the line breaks around it.
    let least = "\r\n--\r\nContent-Disposition:name=\r\n\r\n".len();
    assert!(content + parts.len() * least <= body.len() + "\r\n".len());
}

fuzz_target!(|input: Input<'_>| {
    match input {
        Input::Raw { content_type, body } => check_any(content_type, body),
        Input::Bounded(body) => check_any(BOUNDARIES[0].1, body),
        Input::Form {
            parts,
            boundary,
            preamble,
            epilogue,
            cut,
        } => {
            let boundary = BOUNDARIES[usize::from(boundary) % BOUNDARIES.len()];
            check_form(&parts, boundary, preamble, epilogue, cut);
        }
    }
});
