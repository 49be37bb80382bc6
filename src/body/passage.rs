//! The ways of a response past hyper, as its connection offers them.

use std::sync::Arc;

use tokio::time::Instant;

use super::{FileRange, Rest};

/// The connection's socket, for what hyper would only pass through.
pub(crate) trait Passage: Abort {
    /// Writes `bytes` past hyper, where nothing waits to be written before them.
    fn write(&self, bytes: &[u8]) -> Passed;

    /// The same from any thread, without a copy of what the socket takes at once; of the rest
    /// `drained` hears when it was taken. Not for a connection that would have to encrypt them.
    fn write_large(&self, slices: [&[u8]; 3], drained: Arc<dyn Drained>) -> Passed;

    /// Whether the kernel can send files. They have to be read where the connection encrypts them, or goes on
    /// without hyper.
    fn sends_files(&self) -> bool;

    /// Sends `range` in place of the next placeholder of its length that hyper writes.
    fn send_file(&self, range: FileRange);

    /// Offers the connection the rest of a response that ends with it, to go on without hyper.
    fn offer_rest(&self, rest: Rest);

    /// Whether the connection goes on without hyper: then nothing that waits for it escapes
    /// [`Passage::write`].
    fn is_taken_over(&self) -> bool;

    /// [`Passage::write`] of whole events, at `now`. What is [`LARGE`](super::LARGE) has to wait, and what comes
    /// after it.
    fn write_event(&self, bytes: &[u8], now: Instant) -> Passed;

    /// When that was the last time.
    fn last_event(&self) -> Option<Instant>;
}

/// What ends a response whose client takes nothing.
pub(crate) trait Abort: Send + Sync {
    /// Has the client see at once that the response is incomplete.
    fn abort(&self);
}

/// Hears that the socket has taken what it had no room for.
pub(crate) trait Drained: Send + Sync {
    fn drained(&self);
}

/// What became of bytes written past hyper.
#[derive(PartialEq)]
pub(crate) enum Passed {
    /// The socket has them all.
    Whole,
    /// The socket has not room for all of them: the rest goes out when the connection is polled.
    Partly,
    /// None: they have to go through hyper.
    Not,
}
