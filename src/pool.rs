//! Memory for large chunks, used again: fresh memory costs more in page faults than the copy into it.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// What every buffer of the pool holds, in bytes: Node's own size of a chunk read from a file.
pub(crate) const CAPACITY: usize = 64 * 1024;
/// Chunks up to this size get memory of their own: in a buffer of the pool they would waste too much.
const POOLED_ABOVE: usize = CAPACITY / 2;
/// How many unused buffers are kept.
const KEEP: usize = 32;

#[derive(Clone, Default)]
pub(crate) struct Pool {
    free: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// A buffer of `CAPACITY` bytes, to be filled.
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    length: usize,
    pool: Pool,
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
        let mut free = self
            .pool
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if free.len() < KEEP {
            free.push(std::mem::take(&mut self.bytes));
        }
    }
}

impl Pool {
    pub(crate) fn buffer(&self) -> Buffer {
        let free = self
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        Buffer {
            bytes: free.unwrap_or_else(|| vec![0; CAPACITY]),
            length: 0,
            pool: self.clone(),
        }
    }

    /// Copies a chunk.
    pub(crate) fn copy(&self, chunk: &[u8]) -> Bytes {
        if chunk.len() <= POOLED_ABOVE || chunk.len() > CAPACITY {
            return Bytes::copy_from_slice(chunk);
        }
        let mut buffer = self.buffer();
        buffer.as_mut_slice()[..chunk.len()].copy_from_slice(chunk);
        buffer.freeze(chunk.len())
    }
}
