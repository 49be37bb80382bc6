//! Reading request content: what JavaScript alone cannot do well.

use std::{convert::Infallible, future, pin::pin, task::Poll};

use bytes::Bytes;
use napi::bindgen_prelude::{Buffer, Error, Result};
use napi_derive::napi;

/// One part of a `multipart/form-data` body.
#[napi(object)]
pub struct BindingPart {
    pub name: String,
    /// Of a file; a part without one is a field.
    pub file_name: Option<String>,
    pub content_type: Option<String>,
    pub content: Buffer,
}

/// Splits a `multipart/form-data` body (RFC 7578). Throws what is wrong, and in which part.
#[napi]
pub fn parse_multipart(content_type: String, body: &[u8]) -> Result<Vec<BindingPart>> {
    // White space may surround the semicolon (RFC 9110, 5.6.6); a boundary holds none.
    let content_type: Vec<_> = content_type.split(';').map(str::trim).collect();
    let boundary = multer::parse_boundary(content_type.join("; "))
        .map_err(|error| Error::from_reason(format!("Content-Type: {error}")))?;
    let body = Bytes::copy_from_slice(body);
    let stream = Once(Some(body));
    let mut parts = Vec::new();
    let parsing = async {
        let mut multipart = multer::Multipart::new(stream, boundary);
        while let Some(field) = multipart.next_field().await? {
            let name = field.name().map(unescape);
            let file_name = field.file_name().map(unescape);
            let content_type = field.content_type().map(ToString::to_string);
            let content = field.bytes().await?;
            parts.push((name, file_name, content_type, content));
        }
        Ok::<(), multer::Error>(())
    };
    let outcome = now(parsing);
    let which = parts.len() + 1;
    let fail = |what: String| Error::from_reason(format!("part {which}: {what}"));
    match outcome {
        Some(Ok(())) => {}
        Some(Err(error)) => return Err(fail(error.to_string())),
        None => return Err(fail("the body ends early".to_owned())),
    }
    let mut named = Vec::with_capacity(parts.len());
    for (index, (name, file_name, content_type, content)) in parts.into_iter().enumerate() {
        let name = name.ok_or_else(|| {
            Error::from_reason(format!(
                "part {}: Content-Disposition has no name",
                index + 1
            ))
        })?;
        named.push(BindingPart {
            name,
            file_name,
            content_type,
            content: Vec::from(content).into(),
        });
    }
    Ok(named)
}

/// Undoes what clients do to a name in quotes (HTML, multipart/form-data encoding algorithm).
fn unescape(name: &str) -> String {
    name.replace("%22", "\"")
        .replace("%0D", "\r")
        .replace("%0A", "\n")
}

/// A stream of one chunk, there at once.
struct Once(Option<Bytes>);

impl futures_core::Stream for Once {
    type Item = std::result::Result<Bytes, Infallible>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take().map(Ok))
    }
}

/// What `future` resolves to, where it needs to wait for nothing.
fn now<T>(future: impl future::Future<Output = T>) -> Option<T> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Where a JSON text goes wrong.
#[napi(object)]
pub struct BindingJsonError {
    pub message: String,
    /// From 1.
    pub line: u32,
    /// From 1, in bytes.
    pub column: u32,
}

/// Finds the syntax error of a JSON text that `JSON.parse` refused; its own message does not always
/// say where.
#[napi]
pub fn find_json_error(text: &[u8]) -> Option<BindingJsonError> {
    let error = serde_json::from_slice::<serde::de::IgnoredAny>(text).err()?;
    let (line, column) = (error.line(), error.column());
    let mut message = error.to_string();
    if let Some(position) = message.find(" at line ") {
        message.truncate(position);
    }
    Some(BindingJsonError {
        message,
        line: line as u32,
        column: column as u32,
    })
}
