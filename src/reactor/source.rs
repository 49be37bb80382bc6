//! What is known of one socket: whether it can be read and written, and who waits for that.

use std::{
    io,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

/// The system tells of changes only (edges), so what it said is kept until the socket says otherwise.
pub(super) struct Source(Mutex<State>);

struct State {
    read: Side,
    write: Side,
    /// The other end has ended its sending side, or the connection is broken.
    read_closed: bool,
}

/// One direction.
struct Side {
    ready: bool,
    waiting: Option<Waker>,
}

/// A direction, as the field of [`State`] that it is.
#[derive(Clone, Copy)]
pub(super) enum Direction {
    Read,
    Write,
}

impl Source {
    /// It is tried first, and then waited for.
    pub(super) fn new() -> Self {
        let side = || Side {
            ready: true,
            waiting: None,
        };
        Self(Mutex::new(State {
            read: side(),
            write: side(),
            read_closed: false,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The system has told of something.
    pub(super) fn happened(&self, event: &mio::event::Event) {
        let closed = event.is_read_closed() || event.is_error();
        let (reader, writer) = {
            let mut state = self.lock();
            state.read_closed |= closed;
            let readable = event.is_readable() || closed;
            let writable = event.is_writable() || event.is_write_closed() || event.is_error();
            (state.read.became(readable), state.write.became(writable))
        };
        for waiting in [reader, writer].into_iter().flatten() {
            waiting.wake();
        }
    }

    pub(super) fn is_read_closed(&self) -> bool {
        self.lock().read_closed
    }

    /// Runs `operate` where it may succeed, until it does or would have to wait.
    pub(super) fn poll<T>(
        &self,
        direction: Direction,
        context: &mut Context<'_>,
        operate: impl FnMut() -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        match self.attempt(direction, operate) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut state = self.lock();
                let waiting = &mut state.side(direction).waiting;
                match waiting {
                    Some(waker) => waker.clone_from(context.waker()),
                    None => *waiting = Some(context.waker().clone()),
                }
                Poll::Pending
            }
            result => Poll::Ready(result),
        }
    }

    /// The same, without waiting: `WouldBlock` where it would have to.
    pub(super) fn attempt<T>(
        &self,
        direction: Direction,
        mut operate: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        {
            let mut state = self.lock();
            let closed = state.read_closed && matches!(direction, Direction::Read);
            if !state.side(direction).ready && !closed {
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
        loop {
            match operate() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.exhausted(direction);
                    return Err(error);
                }
                result => return result,
            }
        }
    }

    /// The socket has no more for now, or no more room: a change is told of.
    pub(super) fn exhausted(&self, direction: Direction) {
        self.lock().side(direction).ready = false;
    }
}

impl State {
    fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::Read => &mut self.read,
            Direction::Write => &mut self.write,
        }
    }
}

impl Side {
    fn became(&mut self, ready: bool) -> Option<Waker> {
        if !ready {
            return None;
        }
        self.ready = true;
        self.waiting.take()
    }
}
