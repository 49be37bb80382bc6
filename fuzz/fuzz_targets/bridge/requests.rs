//! Requests, as they are sent and as JavaScript reads them.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, Version};
use wapix::{
    Exchange, Fields, Handler, Peer, RepeatedFields, Request, RequestBody,
    bridge::{Bridge, Taken},
    router::{Lookup, Method, MethodSet, RouteId, Router, canonicalize},
};

use crate::{
    protocol::{
        BATCH_REQUESTS, CANCELLED, COMPLETED, CONSUMED, CONTENT_APART, CONTENT_ASCII, ENCRYPTED,
        HTTP_2, HTTP_10, INLINE_CONTENT, LONG_VALUE, NAMES, NOT_KEPT, PLACES, REQUEST, UTF8_PATH,
    },
    world::{Answered, World},
};

/// What nothing may be written over.
const CANARY: u8 = 0xa5;

/// A request as it has to arrive.
#[derive(Debug, PartialEq)]
pub(crate) struct Crossing {
    pub(crate) first: u32,
    pub(crate) route: u32,
    pub(crate) port: u32,
    pub(crate) url: Vec<u8>,
    pub(crate) decoded_path: Vec<u8>,
    pub(crate) ip: Vec<u8>,
    pub(crate) headers: Vec<u8>,
    pub(crate) content: Vec<u8>,
    pub(crate) parameters: Vec<Vec<u8>>,
}

/// What a request says before its fields.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) method: Method,
    pub(crate) target: &'a str,
    pub(crate) version: Version,
    pub(crate) encrypted: bool,
}

impl<'a> Line<'a> {
    pub(crate) fn get(target: &'a str) -> Self {
        Self {
            method: Method::Get,
            target,
            version: Version::HTTP_11,
            encrypted: false,
        }
    }
}

/// Takes the next `length` bytes off a region.
fn split(region: &mut &[u8], length: u32) -> Vec<u8> {
    let (taken, rest) = region.split_at(length as usize);
    *region = rest;
    taken.to_vec()
}

static ROUTER: LazyLock<Router> = LazyLock::new(|| {
    let mut router = Router::new();
    for (id, pattern) in ["/", "/:a", "/:a/x/:b", "/:a/*rest"]
        .into_iter()
        .enumerate()
    {
        for method in Method::ALL {
            router
                .insert(method, pattern, RouteId::new(id as u32))
                .expect("the patterns differ");
        }
    }
    router
});

/// Header fields as they cross.
fn written(fields: Fields<'_>) -> Vec<u8> {
    let mut names = Vec::new();
    let mut values = Vec::new();
    fields.each(|name, value| {
        names.extend(name.to_ascii_lowercase().bytes());
        names.push(b'\n');
        match u8::try_from(value.len()) {
            Ok(length) if length < LONG_VALUE => values.push(length),
            _ => {
                values.push(LONG_VALUE);
                values.extend_from_slice(&(value.len() as u32).to_le_bytes());
            }
        }
        values.extend_from_slice(value);
    });
    names.push(b'\n');
    [names, values].concat()
}

/// Sends a request, where its target is one, and tells how it has to arrive.
fn send(
    bridge: &Arc<Bridge>,
    line: Line<'_>,
    fields: Fields<'_>,
    headers: Vec<u8>,
    body: &[u8],
) -> Option<(Crossing, Answered)> {
    let Line {
        method,
        target,
        version,
        encrypted,
    } = line;
    let uri: Uri = target.parse().ok()?;
    let target = uri.path_and_query()?.as_str();
    let path = canonicalize(uri.path()).ok()?;
    let Lookup::Route { id, params } = ROUTER.find(Some(method), &path) else {
        return None;
    };
    let decoded_path = (!path.is_raw()).then(|| path.as_str().to_owned());
    let is_ascii = decoded_path.as_deref().unwrap_or(target).is_ascii();
    let is_inline = body.len() <= INLINE_CONTENT;
    let mut first = REQUEST | (method as u32) << 8;
    for (holds, flag) in [
        (!is_ascii, UTF8_PATH),
        (version == Version::HTTP_10, HTTP_10),
        (version == Version::HTTP_2, HTTP_2),
        (encrypted, ENCRYPTED),
        (!is_inline, CONTENT_APART),
        (is_inline && body.is_ascii(), CONTENT_ASCII),
    ] {
        first |= if holds { flag } else { 0 };
    }
    let peer = Peer {
        ip: "2001:db8::1".to_owned(),
        port: 4711,
        encrypted,
    };
    let crossing = Crossing {
        first,
        route: id.get(),
        port: peer.port.into(),
        url: target.as_bytes().to_vec(),
        decoded_path: decoded_path.clone().unwrap_or_default().into_bytes(),
        ip: peer.ip.clone().into_bytes(),
        headers,
        content: body.to_vec(),
        parameters: (0..params.len())
            .map(|index| params.get(index, &path).expect("a range of the path"))
            .map(|value| value.as_bytes().to_vec())
            .collect(),
    };
    let (exchange, answered) = Exchange::detached();
    let body = Bytes::copy_from_slice(body);
    let request = Request {
        route: id,
        allowed: MethodSet::EMPTY,
        method,
        params,
        decoded_path,
        target,
        version,
        fields,
        body: RequestBody::Received(&body),
        peer: &peer,
    };
    bridge.handle(request, exchange);
    Some((crossing, Box::pin(answered)))
}

impl World<'_> {
    /// Sends a request of these fields, where they are some.
    pub(crate) fn request(
        &mut self,
        line: Line<'_>,
        fields: &[(u8, &[u8])],
        body: &[u8],
    ) -> Option<()> {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            let name = NAMES[usize::from(*name) % NAMES.len()];
            map.append(
                HeaderName::from_static(name),
                HeaderValue::from_bytes(value).ok()?,
            );
        }
        let headers = written(Fields::Map(&map));
        let (crossing, answered) = send(self.bridge, line, Fields::Map(&map), headers, body)?;
        self.sent(crossing, answered);
        Some(())
    }

    /// Has a section of these fields come again and again, where it is one.
    pub(crate) fn section(&mut self, fields: &[(u8, &[u8])], is_rival: bool) {
        let mut section = b"Host: localhost\r\n".to_vec();
        for (name, value) in fields {
            let name = NAMES[usize::from(*name) % NAMES.len()].as_bytes();
            section.extend([name, b": ", value, b"\r\n"].concat());
        }
        section.extend_from_slice(b"\r\n");
        // Places are given by turns.
        let others = if is_rival { PLACES - 1 } else { 0 };
        for _ in 0..others {
            RepeatedFields::parse(section.clone());
        }
        self.sections.extend(RepeatedFields::parse(section));
    }

    /// Sends a request with a section that comes again.
    pub(crate) fn again(&mut self, which: u8, line: Line<'_>, body: &[u8]) -> Option<()> {
        let index = usize::from(which).checked_rem(self.sections.len())?;
        let fields = Fields::Repeated(&self.sections[index]);
        let headers = written(fields);
        let (crossing, answered) = send(self.bridge, line, fields, headers, body)?;
        self.sent(crossing, answered);
        Some(())
    }

    fn sent(&mut self, crossing: Crossing, answered: Answered) {
        self.woken(true);
        self.crossing.push_back((self.requests.len(), crossing));
        self.track(answered);
    }

    /// Takes a batch into buffers of this size, and reads it.
    pub(crate) fn take(&mut self, words: usize, bytes: usize) -> Taken {
        let mut word_buffer = vec![u32::from_le_bytes([CANARY; 4]); words];
        let mut byte_buffer = vec![CANARY; bytes];
        let mut apart = Vec::new();
        let taken = self
            .bridge
            .take(&mut word_buffer, &mut byte_buffer, &mut apart);
        let (mut read, mut read_bytes) = (0, 0);
        match taken {
            Taken::Batch { words, text, more } => {
                self.idle = !more;
                read = words;
                read_bytes = self.read(&word_buffer[..words], &byte_buffer, text, apart);
            }
            Taken::NeedsRoom {
                words: needed_words,
                bytes: needed_bytes,
            } => {
                assert!(needed_words > words || needed_bytes > bytes);
                assert!(apart.is_empty());
                self.idle = false;
            }
            Taken::Empty => {
                assert!(apart.is_empty() && self.crossing.is_empty());
                self.idle = true;
            }
        }
        let untouched = |byte: &u8| *byte == CANARY;
        assert!(byte_buffer[read_bytes..].iter().all(untouched));
        assert!(
            word_buffer[read..]
                .iter()
                .all(|word| word.to_le_bytes() == [CANARY; 4])
        );
        taken
    }

    /// Reads a batch as `lib/bridge/inbox.ts` does. Returns how many bytes it is of.
    fn read(
        &mut self,
        words: &[u32],
        bytes: &[u8],
        text_length: usize,
        apart: Vec<Bytes>,
    ) -> usize {
        let mut words = words;
        let (text, mut content) = bytes.split_at(text_length);
        let (mut text, mut apart) = (text, apart.into_iter());
        let mut requests = 0;
        while let Some(&first) = words.first() {
            match first & 0xff {
                REQUEST => {
                    requests += 1;
                    words = self.read_request(words, &mut text, &mut content, &mut apart);
                }
                CANCELLED | COMPLETED => {
                    let key = (words[1], words[2]);
                    assert!(self.by_key.contains_key(&key));
                    assert!(self.over.insert(key), "an end is told once");
                    words = &words[3..];
                }
                CONSUMED => {
                    let key = (words[1], words[2]);
                    assert!(self.by_key.contains_key(&key));
                    assert!(!self.over.contains(&key), "nothing follows an end");
                    words = &words[4..];
                }
                other => panic!("a record of the kind {other}"),
            }
        }
        assert!(text.is_empty() && apart.next().is_none());
        assert!(requests <= BATCH_REQUESTS);
        bytes.len() - content.len()
    }

    fn read_request<'w>(
        &mut self,
        words: &'w [u32],
        text: &mut &[u8],
        content: &mut &[u8],
        apart: &mut impl Iterator<Item = Bytes>,
    ) -> &'w [u32] {
        let (
            [
                first,
                slot,
                serial,
                route,
                url,
                path,
                ip,
                headers,
                place,
                length,
                port,
                parameters,
            ],
            ranges,
        ) = words
            .split_first_chunk()
            .expect("a request has twelve words");
        let (ranges, rest) = ranges.split_at(2 * *parameters as usize);
        let mut next = |length: &u32| split(text, *length);
        let (url, decoded_path) = (next(url), next(path));
        let base = if decoded_path.is_empty() {
            &url
        } else {
            &decoded_path
        };
        let parameters = ranges
            .chunks_exact(2)
            .map(|range| base[range[0] as usize..range[1] as usize].to_vec())
            .collect();
        let (ip, headers) = (next(ip), next(headers));
        let headers = match *place {
            NOT_KEPT => headers,
            place if headers.is_empty() => self.kept[&place].clone(),
            place => {
                self.kept.insert(place, headers.clone());
                headers
            }
        };
        let found = Crossing {
            first: *first,
            route: *route,
            port: *port,
            ip,
            headers,
            content: if first & CONTENT_APART != 0 {
                apart.next().expect("it crosses apart").to_vec()
            } else if first & CONTENT_ASCII != 0 {
                next(length)
            } else {
                split(content, *length)
            },
            parameters,
            url,
            decoded_path,
        };
        let (index, expected) = self.crossing.pop_front().expect("it was sent");
        assert_eq!(found, expected);
        assert_eq!(found.content.len(), *length as usize);
        let key = (*slot, *serial);
        assert_eq!(self.by_key.insert(key, index), None, "a key is used once");
        self.requests[index].key = Some(key);
        rest
    }

    pub(crate) fn take_all(&mut self) {
        let (mut words, mut bytes) = (0, 0);
        loop {
            match self.take(words, bytes) {
                Taken::NeedsRoom {
                    words: needed_words,
                    bytes: needed_bytes,
                } => {
                    assert_ne!((words, bytes), (needed_words, needed_bytes), "it fits now");
                    (words, bytes) = (needed_words, needed_bytes);
                }
                Taken::Batch { more: true, .. } => (words, bytes) = (0, 0),
                Taken::Batch { .. } => {
                    assert_eq!(self.take(0, 0), Taken::Empty);
                    return;
                }
                Taken::Empty => return,
            }
        }
    }
}
