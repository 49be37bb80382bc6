//! Memory for chunks, used again: fresh memory costs more in page faults than the copy into it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// What a buffer for reading a file holds, in bytes: Node's own size of a chunk of one.
pub(crate) const CAPACITY: usize = 64 * 1024;
/// The sizes of buffers, in bytes, and how many unused ones of each are kept: those of a batch of answers, or of
/// streams that a few clients take fast.
const SIZES: [(usize, usize); 4] = [
    (8 * 1024, 64),
    (16 * 1024, 64),
    (32 * 1024, 32),
    (CAPACITY, 32),
];
/// Chunks that would fill no more than this part of a buffer get memory of their own.
const PART: usize = 2;

/// The unused buffers of each size, of all servers of the process.
static UNUSED: [Mutex<Vec<Vec<u8>>>; SIZES.len()] = [const { Mutex::new(Vec::new()) }; SIZES.len()];

/// A buffer to be filled.
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    length: usize,
    size: usize,
}

/// A buffer of `CAPACITY` bytes.
pub(crate) fn buffer() -> Buffer {
    buffer_of(SIZES.len() - 1)
}

/// Copies a chunk.
pub(crate) fn copy(chunk: &[u8]) -> Bytes {
    let fits =
        |(capacity, _): &(usize, usize)| (capacity / PART + 1..=*capacity).contains(&chunk.len());
    let Some(size) = SIZES.iter().position(fits) else {
        return Bytes::copy_from_slice(chunk);
    };
    let mut buffer = buffer_of(size);
    buffer.as_mut_slice()[..chunk.len()].copy_from_slice(chunk);
    buffer.freeze(chunk.len())
}

/// Lets go of what is unused.
pub(crate) fn clear() {
    for size in 0..SIZES.len() {
        drop(std::mem::take(&mut *unused(size)));
    }
}

fn buffer_of(size: usize) -> Buffer {
    let unused = unused(size).pop();
    Buffer {
        bytes: unused.unwrap_or_else(|| vec![0; SIZES[size].0]),
        length: 0,
        size,
    }
}

fn unused(size: usize) -> MutexGuard<'static, Vec<Vec<u8>>> {
    // Held for a push or a pop.
    UNUSED[size].lock().unwrap_or_else(PoisonError::into_inner)
}

impl Buffer {
    /// What is to be written to. It holds what it held last.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// The first `length` bytes, as they were written.
    pub(crate) fn freeze(mut self, length: usize) -> Bytes {
        self.length = length;
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut unused = unused(self.size);
        if unused.len() < SIZES[self.size].1 {
            unused.push(std::mem::take(&mut self.bytes));
        }
    }
}
