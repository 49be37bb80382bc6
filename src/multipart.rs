//! Splitting a `multipart/form-data` body (RFC 7578) into its parts.

use std::{
    convert::Infallible,
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::header;
use thiserror::Error;

/// One part of a `multipart/form-data` body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The name of the form's field.
    pub name: String,
    /// Of a file; a part without one is a field.
    pub file_name: Option<String>,
    /// Its media type, where it has a well-formed one.
    pub content_type: Option<String>,
    /// The content, as it was sent.
    pub content: Bytes,
}

/// Why a body could not be split into parts.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MultipartError {
    /// The Content-Type gives no boundary.
    #[error("Content-Type: {0}")]
    ContentType(String),
    /// A part is malformed, or cut off.
    #[error("part {number}: {reason}")]
    Part {
        /// Which part, from 1.
        number: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// Splits a body of the media type `content_type` into its parts.
///
/// ```
/// let body = "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--XX--\r\n";
/// let parts = wapix::parse_multipart("multipart/form-data; boundary=XX", body.into())?;
/// assert_eq!((&*parts[0].name, &*parts[0].content), ("a", &b"1"[..]));
/// # Ok::<(), wapix::MultipartError>(())
/// ```
///
/// # Errors
///
/// A [`MultipartError`] for the first part that is malformed or cut off; where every part is whole, for
/// the first that has no name.
pub fn parse_multipart(content_type: &str, body: Bytes) -> Result<Vec<Part>, MultipartError> {
    // White space may surround the semicolon (RFC 9110, 5.6.6); a boundary holds none.
    let content_type: Vec<_> = content_type.split(';').map(str::trim).collect();
    let boundary = multer::parse_boundary(content_type.join("; "))
        .map_err(|error| MultipartError::ContentType(error.to_string()))?;
    let mut fields = Vec::new();
    let parsing = async {
        let mut multipart = multer::Multipart::new(Once(Some(body)), boundary);
        while let Some(field) = multipart.next_field().await? {
            let disposition = field.headers().get(header::CONTENT_DISPOSITION);
            let disposition = disposition
                .map(|value| String::from_utf8_lossy(value.as_bytes()))
                .unwrap_or_default();
            let name = parameter(&disposition, "name");
            let file_name = parameter(&disposition, "filename");
            let content_type = field.content_type().map(ToString::to_string);
            let content = field.bytes().await?;
            fields.push((name, file_name, content_type, content));
        }
        Ok::<(), multer::Error>(())
    };
    let outcome = now(parsing);
    let malformed = |index: usize, reason: String| MultipartError::Part {
        number: index + 1,
        reason,
    };
    match outcome {
        Some(Ok(())) => {}
        Some(Err(error)) => return Err(malformed(fields.len(), error.to_string())),
        None => return Err(malformed(fields.len(), "the body ends early".to_owned())),
    }
    let part = |(index, (name, file_name, content_type, content))| {
        let nameless = || malformed(index, "Content-Disposition has no name".to_owned());
        Ok(Part {
            name: Option::ok_or_else(name, nameless)?,
            file_name,
            content_type,
            content,
        })
    };
    fields.into_iter().enumerate().map(part).collect()
}

/// The value of a parameter of Content-Disposition. multer would look for it within others' quotes too.
fn parameter(disposition: &str, wanted: &str) -> Option<String> {
    let mut rest = disposition;
    loop {
        let (before, value) = rest.split_once('=')?;
        let name = before.trim_end().rsplit([';', ' ', '\t']).next();
        let value = value.trim_start();
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_at(closing_quote(quoted)?),
            None => value.split_at(value.find([';', ' ']).unwrap_or(value.len())),
        };
        if name.is_some_and(|name| name.eq_ignore_ascii_case(wanted)) {
            return Some(unescape(value));
        }
        rest = after;
    }
}

/// Where a text ends that stands in quotes. Some clients write `\"` for a quote within it; but where the
/// parameter is over with it, the text ends with `\`, which browsers do not escape.
fn closing_quote(quoted: &str) -> Option<usize> {
    quoted.match_indices('"').map(|(at, _)| at).find(|&at| {
        let after = quoted[at + 1..].trim_start();
        after.is_empty() || after.starts_with(';') || !quoted[..at].ends_with('\\')
    })
}

/// Undoes what clients do to a name in quotes (HTML, multipart/form-data encoding algorithm).
fn unescape(name: &str) -> String {
    name.replace("\\\"", "\"")
        .replace("%22", "\"")
        .replace("%0D", "\r")
        .replace("%0A", "\n")
}

/// A stream of one chunk, there at once.
struct Once(Option<Bytes>);

impl futures_core::Stream for Once {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take().map(Ok))
    }
}

/// What `future` resolves to, where it needs to wait for nothing.
fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
