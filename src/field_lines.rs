//! Header fields of a whole response, as the handler wrote them.

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Header fields as text, `name LF value LF` for each, in UTF-8; and a media type beside them. They are looked
/// at as they are sent: few responses need a map of them.
#[derive(Debug, Default)]
pub struct FieldLines {
    media_type: Option<&'static str>,
    text: Vec<u8>,
}

impl FieldLines {
    /// The fields of `text`, and `Content-Type` where there is a `media_type`.
    pub fn new(media_type: Option<&'static str>, text: &[u8]) -> Self {
        Self {
            media_type,
            text: text.to_owned(),
        }
    }

    pub(crate) fn media_type(&self) -> Option<&'static str> {
        self.media_type
    }

    /// Names and values, but for the media type's.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut lines = self.text.split(|byte| *byte == b'\n');
        // The text ends with a line's end, and nothing follows it.
        std::iter::from_fn(move || Some((lines.next()?, lines.next()?)))
    }

    /// The fields as hyper takes them; `None` where one is no field, or there are more than a map holds.
    pub(crate) fn to_map(&self) -> Option<HeaderMap> {
        let mut map = HeaderMap::new();
        if let Some(media_type) = self.media_type {
            map.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        }
        for (name, value) in self.lines() {
            map.try_append(HeaderName::from_bytes(name).ok()?, header_value(value)?)
                .ok()?;
        }
        Some(map)
    }
}

/// A field value crosses as UTF-8, and leaves as Latin-1 (RFC 9110, 5.5).
fn header_value(utf8: &[u8]) -> Option<HeaderValue> {
    if utf8.is_ascii() {
        return HeaderValue::from_bytes(utf8).ok();
    }
    let text = std::str::from_utf8(utf8).ok()?;
    let latin1: Option<Vec<u8>> = text.chars().map(|char| u8::try_from(char).ok()).collect();
    HeaderValue::from_bytes(&latin1?).ok()
}
