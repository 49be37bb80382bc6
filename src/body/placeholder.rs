//! What hyper is given for content that it does not have: it frames and counts it, and would not end a
//! response with `Content-Length` before it has counted all.

use std::{io::IoSlice, sync::OnceLock};

use bytes::Bytes;

/// The most content of a file that one placeholder stands for, in bytes.
pub(super) const LARGEST_OF_FILE: usize = 1024 * 1024;

/// Never read. No content has this address.
static WRITTEN: [u8; 64 * 1024] = [0; 64 * 1024];

/// Neither is this, nor written: the system gives no memory for it.
static OF_FILE: OnceLock<Bytes> = OnceLock::new();

/// What a placeholder stands for.
pub(crate) enum StandsFor {
    /// Content that is on the wire already.
    Written,
    /// Content of the [`FileRange`](super::FileRange) that the connection was given.
    File,
}

/// Stands for `length` bytes that were written, or for the first of them.
pub(super) fn written(length: u64) -> Bytes {
    let length = usize::try_from(length).map_or(WRITTEN.len(), |l| l.min(WRITTEN.len()));
    Bytes::from_static(&WRITTEN[..length])
}

/// Stands for `length` bytes of a file, at most [`LARGEST_OF_FILE`].
pub(super) fn of_file(length: usize) -> Bytes {
    let all = OF_FILE.get_or_init(|| Bytes::from(vec![0; LARGEST_OF_FILE]));
    all.slice(..length)
}

/// Of what hyper wants written: what comes before the first placeholder, and for how much of what that stands.
pub(crate) fn before_placeholder<'a, 'b>(
    slices: &'a [IoSlice<'b>],
) -> (&'a [IoSlice<'b>], Option<(StandsFor, usize)>) {
    let found = slices.iter().enumerate();
    let mut found = found.filter_map(|(at, slice)| Some((at, stands_for(slice)?)));
    match found.next() {
        Some((at, stands)) => (&slices[..at], Some((stands, slices[at].len()))),
        None => (slices, None),
    }
}

/// Whether `bytes` only stand for content.
fn stands_for(bytes: &[u8]) -> Option<StandsFor> {
    if WRITTEN.as_ptr_range().contains(&bytes.as_ptr()) {
        return Some(StandsFor::Written);
    }
    let of_file = OF_FILE.get()?.as_ptr_range();
    of_file.contains(&bytes.as_ptr()).then_some(StandsFor::File)
}
