//! Large chunks on their way past hyper.

use std::sync::Arc;

use super::{
    BodySender, Drained, Passed,
    framing::{CHUNK_END, CHUNK_SIZE, Framing, chunk_size},
    sender::Shared,
};

/// A larger chunk, in bytes, would keep the I/O thread from this connection for too long.
const LARGEST_DIRECT: usize = 1024 * 1024;

impl BodySender {
    /// What writes large chunks past hyper, from any thread.
    pub fn direct(&self) -> DirectWriter {
        DirectWriter {
            shared: Arc::clone(&self.shared),
        }
    }
}

/// Writes large chunks to the socket without a copy and without a turn of the I/O thread: what the
/// socket takes at once need never be in another place.
pub struct DirectWriter {
    shared: Arc<Shared>,
}

/// What became of a chunk given to a [`DirectWriter`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Direct {
    /// The socket has all of it.
    Whole,
    /// The socket has some of it, and the rest was copied: [`Observer::drained`] tells when the
    /// socket has that too.
    ///
    /// [`Observer::drained`]: crate::Observer::drained
    Partly,
    /// Nothing. It has to be sent: something else has to be written before it, or the connection
    /// encrypts it.
    Not,
}

impl DirectWriter {
    /// Writes `chunk`, of at least one byte, where all of the `sent` bytes that were sent before it
    /// have been written.
    pub fn write(&self, chunk: &[u8], sent: u64) -> Direct {
        let (direct, waker) = {
            let mut state = self.shared.lock();
            let Some((passage, framing)) = &state.passage else {
                return Direct::Not;
            };
            let framing = *framing;
            let is_next = state.sent == sent && state.is_empty() && state.waker.is_some();
            if !is_next || state.end.is_some() || chunk.len() > LARGEST_DIRECT {
                return Direct::Not;
            }
            let mut size = [0; CHUNK_SIZE];
            let slices: [&[u8]; 3] = match framing {
                Framing::Chunked => [chunk_size(chunk.len(), &mut size), chunk, CHUNK_END],
                Framing::Counted | Framing::None => [b"", chunk, b""],
            };
            let drained = Arc::clone(&self.shared) as Arc<dyn Drained>;
            let passed = passage.write_large(slices, drained);
            if framing == Framing::Counted && passed != Passed::Not {
                state.uncounted += chunk.len() as u64;
            }
            match passed {
                Passed::Whole => (Direct::Whole, None),
                Passed::Partly => (Direct::Partly, state.waker.take()),
                Passed::Not => (Direct::Not, None),
            }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        direct
    }
}
