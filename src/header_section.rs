//! Header sections of requests that have come whole: what they say of the body, and those that come again.
//!
//! A client sends many requests with the same header section, word for word. Whoever has read it once knows what
//! it says.

use std::{
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::request_head::is_host_and_port;

/// The most header fields of a section.
pub(crate) const MOST_FIELDS: usize = 64;
/// A longer section is not remembered, in bytes: few come again, and each connection has one.
const LONGEST: usize = 4 * 1024;

/// The header section of a connection's last request.
#[derive(Default)]
pub(crate) enum LastSection {
    #[default]
    None,
    /// It came once.
    Once(Vec<u8>),
    /// It has come again, and will once more.
    Again(RepeatedFields),
}

/// The header fields of a section that a connection sends again and again.
#[derive(Debug)]
pub struct RepeatedFields {
    /// As it was sent, with the empty line that ends it.
    section: Vec<u8>,
    /// Where names and values are in it.
    fields: Vec<(Range<u16>, Range<u16>)>,
    body_length: usize,
    number: u64,
}

impl LastSection {
    /// What has come again, if anything.
    pub(crate) fn repeated(&self) -> Option<&RepeatedFields> {
        match self {
            Self::Again(fields) => Some(fields),
            Self::None | Self::Once(_) => None,
        }
    }

    /// Another request had this section.
    pub(crate) fn follow(&mut self, section: &[u8]) {
        if section.len() > LONGEST {
            *self = Self::None;
            return;
        }
        match self {
            Self::Once(last) if last == section => {
                let fields = RepeatedFields::parse(std::mem::take(last));
                *self = fields.map_or(Self::None, Self::Again);
            }
            Self::Once(last) => {
                last.clear();
                last.extend_from_slice(section);
            }
            Self::None | Self::Again(_) => *self = Self::Once(section.to_owned()),
        }
    }
}

impl RepeatedFields {
    /// Reads a section, with the empty line that ends it; `None` where it says something that is for hyper to
    /// hear, or there is more than it.
    pub fn parse(section: Vec<u8>) -> Option<Self> {
        let mut room = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let parsed = httparse::parse_headers(&section, &mut room);
        let Ok(httparse::Status::Complete((length, fields))) = parsed else {
            return None;
        };
        if length != section.len() {
            return None;
        }
        let body_length = body_length(fields)?;
        let range = |part: &[u8]| {
            let start = part.as_ptr() as usize - section.as_ptr() as usize;
            Some(u16::try_from(start).ok()?..u16::try_from(start + part.len()).ok()?)
        };
        let fields = (fields.iter())
            .map(|field| Some((range(field.name.as_bytes())?, range(field.value)?)))
            .collect::<Option<_>>()?;
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Some(Self {
            fields,
            body_length,
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            section,
        })
    }

    /// The section as it was sent, with the empty line that ends it.
    pub(crate) fn section(&self) -> &[u8] {
        &self.section
    }

    pub(crate) fn body_length(&self) -> usize {
        self.body_length
    }

    /// What no other section has, of any connection.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Names, in any case, and values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let part = |range: &Range<u16>| &self.section[range.start.into()..range.end.into()];
        // A name is a token, which is ASCII (RFC 9110, 5.1).
        let name = move |range| str::from_utf8(part(range)).unwrap_or_default();
        (self.fields.iter()).map(move |(name_at, value_at)| (name(name_at), part(value_at)))
    }
}

/// The length of the body of a request of these fields, one of which is `Host`; `None` where they say
/// something of the connection, or how to send the body, that is for hyper to hear.
pub(crate) fn body_length(fields: &[httparse::Header<'_>]) -> Option<usize> {
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
