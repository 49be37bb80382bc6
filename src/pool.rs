//! Memory for large chunks, used again: fresh memory costs more in page faults than the copy into it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

#[derive(Clone, Default)]
pub(crate) struct Pool {
    free: Arc<[Mutex<Vec<Vec<u8>>>; SIZES.len()]>,
}

/// A buffer to be filled.
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    length: usize,
    size: usize,
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
        let mut free = lock(&self.pool.free[self.size]);
        if free.len() < SIZES[self.size].1 {
            free.push(std::mem::take(&mut self.bytes));
        }
    }
}

impl Pool {
    /// A buffer of `CAPACITY` bytes.
    pub(crate) fn buffer(&self) -> Buffer {
        self.buffer_of(SIZES.len() - 1)
    }

    /// Copies a chunk.
    pub(crate) fn copy(&self, chunk: &[u8]) -> Bytes {
        let fits = |(capacity, _): &(usize, usize)| {
            (capacity / PART + 1..=*capacity).contains(&chunk.len())
        };
        match SIZES.iter().position(fits) {
            Some(size) => {
                let mut buffer = self.buffer_of(size);
                buffer.as_mut_slice()[..chunk.len()].copy_from_slice(chunk);
                buffer.freeze(chunk.len())
            }
            _ => Bytes::copy_from_slice(chunk),
        }
    }

    fn buffer_of(&self, size: usize) -> Buffer {
        let free = lock(&self.free[size]).pop();
        Buffer {
            bytes: free.unwrap_or_else(|| vec![0; SIZES[size].0]),
            length: 0,
            size,
            pool: self.clone(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Held for a push or a pop.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
