//! Reading request content: what JavaScript alone cannot do well.

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
    let parts = crate::parse_multipart(&content_type, Bytes::copy_from_slice(body))
        .map_err(|error| Error::from_reason(error.to_string()))?;
    let part = |part: crate::Part| BindingPart {
        name: part.name,
        file_name: part.file_name,
        content_type: part.content_type,
        content: Vec::from(part.content).into(),
    };
    Ok(parts.into_iter().map(part).collect())
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
