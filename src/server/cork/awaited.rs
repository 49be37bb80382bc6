//! The answer that a connection waits for, with nothing else to do: whoever has it may write it.

use std::io::IoSlice;

use super::{super::socket::Written, Corked, HeldUp, Socket};
use crate::body::Passed;

impl<S: Socket> Corked<S> {
    /// Lets that answer be written by whoever has it, until [`Corked::go_on`]; false where there is something
    /// else to do.
    pub(in crate::server) fn await_answer(&self) -> bool {
        let mut inner = self.lock();
        inner.awaits_answer = inner.ahead.is_empty() && inner.gathered.is_empty();
        inner.awaits_answer
    }

    /// The connection goes on, with what was read so far read as requests. What the client keeps it waiting for, and
    /// whether nobody awaits that answer (any more).
    pub(in crate::server) fn go_on(&self) -> (HeldUp, bool) {
        let mut inner = self.lock();
        let is_written = !std::mem::take(&mut inner.awaits_answer);
        (inner.held_up(true), is_written)
    }

    /// Writes that answer, outside the connection's task.
    pub(in crate::server) fn write_awaited(&self, slices: [&[u8]; 2]) -> Passed {
        let mut inner = self.lock();
        if !inner.awaits_answer {
            return Passed::Not;
        }
        let stream = inner.stream.inner_mut();
        let written = match slices {
            [one, []] => Some(stream.write_now(one)),
            slices => stream
                .write_large_now(&slices.map(IoSlice::new))
                .map(|taken| Written {
                    taken,
                    flushed: true,
                }),
        };
        let Some(Written { taken, flushed }) = written else {
            return Passed::Not;
        };
        inner.awaits_answer = false;
        inner.taken += taken as u64;
        inner.keep_rest(slices, taken);
        // TLS may take the rest, too, and hold it back.
        inner.unflushed = !flushed || !inner.gathered.is_empty();
        if inner.unflushed {
            Passed::Partly
        } else {
            Passed::Whole
        }
    }
}
