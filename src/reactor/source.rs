//! What is known of one socket: whether it can be read and written, and who waits for that.

use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll},
};

use futures_util::task::AtomicWaker;

/// Something may be read.
const READABLE: usize = 1;
/// There is room for something.
const WRITABLE: usize = 2;
/// The other end has ended its sending side, or the connection is broken.
const READ_CLOSED: usize = 4;
/// One more time that the system has told of something.
const TOLD: usize = 8;

/// The system tells of changes only (edges), so what it said is kept until the socket says otherwise.
pub(super) struct Source {
    known: AtomicUsize,
    reader: AtomicWaker,
    writer: AtomicWaker,
}

/// What is known at one time: the flags, and above them how often the system has told of something. Who finds
/// the socket exhausted, on whichever thread, must not take back what it has told of since.
#[derive(Clone, Copy)]
pub(super) struct Known(usize);

#[derive(Clone, Copy)]
pub(super) enum Direction {
    Read,
    Write,
}

impl Source {
    /// It is tried first, and then waited for.
    pub(super) fn new() -> Self {
        Self {
            known: AtomicUsize::new(READABLE | WRITABLE),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
        }
    }

    pub(super) fn known(&self) -> Known {
        Known(self.known.load(Ordering::Acquire))
    }

    /// The system has told of something.
    pub(super) fn happened(&self, event: &mio::event::Event) {
        let closed = event.is_read_closed() || event.is_error();
        let readable = event.is_readable() || closed;
        let writable = event.is_writable() || event.is_write_closed() || event.is_error();
        let flag = |is_told: bool, flag| if is_told { flag } else { 0 };
        self.told(flag(readable, READABLE) | flag(writable, WRITABLE) | flag(closed, READ_CLOSED));
    }

    fn told(&self, flags: usize) {
        let mut known = self.known();
        while let Err(now) = self.replace(known, (known.0 | flags).wrapping_add(TOLD)) {
            known = now;
        }
        if flags & READABLE != 0 {
            self.reader.wake();
        }
        if flags & WRITABLE != 0 {
            self.writer.wake();
        }
    }

    /// Runs `operate` where it may succeed, until it does or would have to wait.
    pub(super) fn poll<T>(
        &self,
        direction: Direction,
        context: &mut Context<'_>,
        mut operate: impl FnMut() -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            let known = self.known();
            match self.attempt(direction, &mut operate) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.waiting(direction).register(context.waker());
                    // What the system told of before that woke nobody.
                    if self.known().told() == known.told() {
                        return Poll::Pending;
                    }
                }
                result => return Poll::Ready(result),
            }
        }
    }

    /// The same, without waiting: `WouldBlock` where it would have to.
    pub(super) fn attempt<T>(
        &self,
        direction: Direction,
        mut operate: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            let known = self.known();
            if !known.is_ready(direction) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            match operate() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.exhausted(direction, known) {
                        return Err(error);
                    }
                }
                result => return result,
            }
        }
    }

    /// The socket has no more for now, or no more room, as was found with what was `known` before: a change is
    /// told of. `false` where one has been told of since.
    pub(super) fn exhausted(&self, direction: Direction, mut known: Known) -> bool {
        let told = known.told();
        while let Err(now) = self.replace(known, known.0 & !direction.flag()) {
            if now.told() != told {
                return false;
            }
            known = now;
        }
        true
    }

    fn replace(&self, known: Known, with: usize) -> Result<usize, Known> {
        self.known
            .compare_exchange(known.0, with, Ordering::AcqRel, Ordering::Acquire)
            .map_err(Known)
    }

    fn waiting(&self, direction: Direction) -> &AtomicWaker {
        match direction {
            Direction::Read => &self.reader,
            Direction::Write => &self.writer,
        }
    }
}

impl Known {
    pub(super) fn is_read_closed(self) -> bool {
        self.0 & READ_CLOSED != 0
    }

    /// What is closed can be read: to its end.
    fn is_ready(self, direction: Direction) -> bool {
        let closed = match direction {
            Direction::Read => READ_CLOSED,
            Direction::Write => 0,
        };
        self.0 & (direction.flag() | closed) != 0
    }

    fn told(self) -> usize {
        self.0 / TOLD
    }
}

impl Direction {
    fn flag(self) -> usize {
        match self {
            Self::Read => READABLE,
            Self::Write => WRITABLE,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// What another thread's `write` comes to where the system says at the same time that there is room.
    fn write(source: &Source, told: usize, answers: &mut Vec<io::Result<u8>>) -> io::Result<u8> {
        source.told(told);
        answers.pop().unwrap_or(Ok(0))
    }

    #[test]
    fn what_is_told_while_a_socket_is_found_full_is_not_taken_back() {
        let source = Source::new();
        let mut answers = vec![Ok(7), Err(io::ErrorKind::WouldBlock.into())];
        let written = source.attempt(Direction::Write, || write(&source, WRITABLE, &mut answers));
        assert_eq!(written.ok(), Some(7));

        let mut answers = vec![Ok(8), Err(io::ErrorKind::WouldBlock.into())];
        let mut context = Context::from_waker(Waker::noop());
        let polled = source.poll(Direction::Write, &mut context, || {
            write(&source, WRITABLE, &mut answers)
        });
        assert!(matches!(polled, Poll::Ready(Ok(8))));
    }

    #[test]
    fn a_socket_that_was_found_full_is_tried_when_there_is_room() {
        let source = Source::new();
        let full = || Err::<u8, _>(io::ErrorKind::WouldBlock.into());
        assert!(source.attempt(Direction::Write, full).is_err());
        let tried = source.attempt(Direction::Write, || Ok(1));
        assert!(tried.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock));
        source.told(WRITABLE);
        assert_eq!(source.attempt(Direction::Write, || Ok(1)).ok(), Some(1));
    }
}
