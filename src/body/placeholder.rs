//! What hyper is given for content that is on the wire already: it counts the content of a response
//! with `Content-Length`, and would not end it before it has counted all.

use bytes::Bytes;

/// Never read. No content has this address.
static PLACEHOLDER: [u8; 64 * 1024] = [0; 64 * 1024];

/// Stands for `length` bytes, or for the first of them.
pub(super) fn placeholder(length: u64) -> Bytes {
    let length = usize::try_from(length).map_or(PLACEHOLDER.len(), |l| l.min(PLACEHOLDER.len()));
    Bytes::from_static(&PLACEHOLDER[..length])
}

/// Whether `bytes`, which hyper wants written, only stand for what was written.
pub(crate) fn is_placeholder(bytes: &[u8]) -> bool {
    PLACEHOLDER.as_ptr_range().contains(&bytes.as_ptr())
}
