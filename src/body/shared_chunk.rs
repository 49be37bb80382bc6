//! Chunks that many responses are sent: made and framed once.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::{
    BodySender, Passage, Passed,
    framing::{CHUNK_END, CHUNK_SIZE, Framing, chunk_size},
    sender::{End, State},
};

/// A larger chunk, in bytes, leaves in pieces: its connection copies what its client does not take at once, and each
/// client has a connection.
pub(crate) const LARGE: usize = 256 * 1024;
pub(super) const PIECE: usize = 64 * 1024;

/// A chunk, and the same as one of a chunked response (RFC 9112, 7.1).
#[derive(Clone)]
pub(crate) struct SharedChunk {
    framed: Bytes,
    content: Bytes,
}

/// What became of a shared chunk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Offered {
    /// It was written, or waits.
    Taken,
    /// Too much waits already.
    Full,
    /// The response is over.
    Over,
}

impl SharedChunk {
    pub(crate) fn new(parts: &[&[u8]]) -> Self {
        let length = parts.iter().map(|part| part.len()).sum();
        let mut line = [0; CHUNK_SIZE];
        let line = chunk_size(length, &mut line);
        let mut framed = BytesMut::with_capacity(line.len() + length + CHUNK_END.len());
        framed.extend_from_slice(line);
        for part in parts {
            framed.extend_from_slice(part);
        }
        framed.extend_from_slice(CHUNK_END);
        let framed = framed.freeze();
        let content = framed.slice(line.len()..line.len() + length);
        Self { framed, content }
    }

    /// Chunks that follow each other, as one.
    pub(crate) fn joined<'a>(chunks: impl Iterator<Item = &'a Self> + Clone) -> Self {
        let mut first = chunks.clone();
        if let (Some(only), None) = (first.next(), first.next()) {
            return only.clone();
        }
        let parts: Vec<&[u8]> = chunks.map(|chunk| &*chunk.content).collect();
        Self::new(&parts)
    }

    pub(crate) fn content(&self) -> Bytes {
        self.content.clone()
    }

    #[cfg(test)]
    pub(crate) fn framed(&self) -> &[u8] {
        &self.framed
    }

    /// Of the content, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.content.len()
    }
}

impl BodySender {
    /// From now on it is sent what many are sent. Its observer does not hear of what is taken, as that has
    /// no window, and its connection ends with it.
    pub(crate) fn subscribe(&self) {
        let mut state = self.shared.lock();
        state.step = usize::MAX;
        state.is_subscribed = true;
    }

    /// The way to its socket, once its connection needs hyper no more, and nothing waits: what is written
    /// there comes next.
    pub(crate) fn passage(&self) -> Option<Arc<dyn Passage>> {
        let state = self.shared.lock();
        let (passage, _) = state.passage.as_ref()?;
        let is_next = state.is_empty() && !state.is_over() && passage.is_taken_over();
        is_next.then(|| Arc::clone(passage))
    }

    /// Writes `chunk` to its [`BodySender::passage`], where nothing waits; whether it did. `now` is when.
    pub(crate) fn pass(&self, passage: &dyn Passage, chunk: &SharedChunk, now: Instant) -> bool {
        match passage.write_event(&chunk.framed, now) {
            Passed::Whole => {}
            Passed::Partly => self.shared.wake(),
            Passed::Not => return false,
        }
        true
    }

    /// Writes `chunk`, or has it wait where no more than `limit` bytes do. On the thread of the
    /// connection, as `now` is.
    pub(crate) fn offer(&self, chunk: &SharedChunk, limit: usize, now: Instant) -> Offered {
        let waker = {
            let mut state = self.shared.lock();
            if state.is_over() {
                return Offered::Over;
            }
            match state.pass_shared(chunk, now) {
                Passed::Whole => None,
                Passed::Partly => state.waker.take(),
                Passed::Not => {
                    if state.queued > 0 && state.queued + chunk.len() > limit {
                        return Offered::Full;
                    }
                    state.push_shared(chunk);
                    state.waker.take()
                }
            }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        Offered::Taken
    }

    /// Has `chunk` wait in place of all that does.
    pub(crate) fn replace(&self, chunk: &SharedChunk) {
        let mut state = self.shared.lock();
        if !state.is_over() {
            state.clear();
            state.push_shared(chunk);
        }
    }

    /// Fails the response at once, whether its client takes what is sent or not: the connection is
    /// reset or, of HTTP/2, the stream.
    pub(crate) fn abort(&self) {
        let (passage, abort, waker) = {
            let mut state = self.shared.lock();
            state.is_begun = false;
            state.clear();
            state.end = Some(End::Failed);
            (state.passage.take(), state.abort.take(), state.waker.take())
        };
        // Outside the lock, though either only sets things off.
        if let Some((passage, _)) = passage {
            passage.abort();
        }
        if let Some(abort) = abort {
            abort.abort();
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl State {
    fn is_over(&self) -> bool {
        self.closed || self.end.is_some()
    }

    /// So many bytes are sent before any that many are sent: what a subscriber missed.
    pub(super) fn count_ahead(&mut self, bytes: usize) {
        if self.is_subscribed && self.queued == 0 {
            self.ahead += bytes;
        }
    }

    /// Nothing that waits is sent, but for the rest of what has begun to be.
    fn clear(&mut self) {
        self.chunks.truncate(usize::from(self.is_begun));
        (self.queued, self.ahead) = (0, 0);
    }

    fn push_shared(&mut self, chunk: &SharedChunk) {
        self.queued += chunk.len();
        self.push(chunk.content());
    }

    /// Writes a chunk past hyper, which waits for it.
    fn pass_shared(&mut self, chunk: &SharedChunk, now: Instant) -> Passed {
        let Some((passage, Framing::Chunked)) = &self.passage else {
            return Passed::Not;
        };
        if !self.is_empty() || self.waker.is_none() || chunk.len() > LARGE {
            return Passed::Not;
        }
        let passed = passage.write(&chunk.framed);
        if passed != Passed::Not {
            self.last_sent = Some(now);
        }
        passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::stream_body;

    const LIMIT: usize = 1000;

    #[test]
    fn what_was_missed_is_no_part_of_the_queue_whether_it_waits_or_has_left() {
        let (sender, _body) = stream_body(None);
        let event = SharedChunk::new(&[&[b'x'; 500]]);
        let offer = || sender.offer(&event, LIMIT, Instant::now());
        sender.subscribe();
        sender.send(Bytes::from(vec![b'm'; 700]));
        sender.send(Bytes::from(vec![b'm'; 700]));
        assert_eq!(
            [offer(), offer(), offer()],
            [Offered::Taken, Offered::Taken, Offered::Full]
        );
        for left in [700, 700] {
            let chunk = sender.shared.lock().pop().expect("it waits");
            assert_eq!(chunk.len(), left);
            assert_eq!(offer(), Offered::Full);
        }
        sender.shared.lock().pop().expect("it waits");
        assert_eq!([offer(), offer()], [Offered::Taken, Offered::Full]);
    }

    #[test]
    fn a_large_chunk_leaves_in_pieces_and_nothing_takes_the_place_of_the_rest_of_it() {
        let (sender, _body) = stream_body(None);
        let pop = || sender.shared.lock().pop().map(|piece| piece.len());
        let large = SharedChunk::new(&[&vec![b'x'; 2 * PIECE + 1]]);
        let newest = SharedChunk::new(&[b"y"]);
        sender.subscribe();
        for _ in 0..2 {
            sender.offer(&large, usize::MAX, Instant::now());
        }
        assert_eq!(pop(), Some(PIECE));
        sender.replace(&newest);
        assert_eq!([pop(), pop(), pop()], [Some(PIECE), Some(1), Some(1)]);
        sender.offer(&large, LIMIT, Instant::now());
        assert_eq!(pop(), Some(PIECE));
        // The rest of it is in no queue.
        assert_eq!(sender.offer(&large, LIMIT, Instant::now()), Offered::Taken);
        assert_eq!(sender.offer(&newest, LIMIT, Instant::now()), Offered::Full);
        sender.abort();
        assert_eq!(pop(), None);
    }
}
