//! Memory for large chunks, used again: fresh memory costs more in page faults than the copy into it.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// What every buffer of the pool holds, in bytes: Node's own size of a chunk read from a file.
const CAPACITY: usize = 64 * 1024;
/// Chunks up to this size get memory of their own: in a buffer of the pool they would waste too much.
const POOLED_ABOVE: usize = CAPACITY / 2;
/// How many unused buffers are kept.
const KEEP: usize = 32;

#[derive(Clone, Default)]
pub(super) struct Pool {
    free: Arc<Mutex<Vec<Vec<u8>>>>,
}

struct Pooled {
    bytes: Vec<u8>,
    pool: Pool,
}

impl AsRef<[u8]> for Pooled {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let mut free = self
            .pool
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if free.len() < KEEP {
            let mut bytes = std::mem::take(&mut self.bytes);
            bytes.clear();
            free.push(bytes);
        }
    }
}

impl Pool {
    /// Copies a chunk.
    pub(super) fn copy(&self, chunk: &[u8]) -> Bytes {
        if chunk.len() <= POOLED_ABOVE || chunk.len() > CAPACITY {
            return Bytes::copy_from_slice(chunk);
        }
        let free = self
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut bytes = free.unwrap_or_else(|| Vec::with_capacity(CAPACITY));
        bytes.extend_from_slice(chunk);
        Bytes::from_owner(Pooled {
            bytes,
            pool: self.clone(),
        })
    }
}
