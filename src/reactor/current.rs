//! The turn that runs on this thread.

use std::{
    cell::RefCell,
    io,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use super::Shared;

/// How long sockets are read in one turn, and written to, and tasks run again: who sends without a pause, and takes
/// every answer, is never done.
pub(super) const TURN: Duration = Duration::from_millis(2);
/// How often something is read or written, or tasks are run, before the clock is looked at.
pub(super) const UNTIMED: u32 = 4;
/// What of a socket is read at a time, in bytes.
const SCRATCH: usize = 64 * 1024;

thread_local! {
    static CURRENT: RefCell<Option<Turn>> = const { RefCell::new(None) };
}

struct Turn {
    reactor: Arc<Shared>,
    work: Work,
}

/// What sockets need of the turn they are read and written in.
pub(super) struct Work {
    /// Where they are read to: they are never read at the same time.
    pub(super) scratch: Box<[u8]>,
    ends: Instant,
    has_ended: bool,
    /// How often something has been read or written.
    operations: u32,
    /// Who goes on in the next turn.
    pub(super) deferred: Vec<Waker>,
}

impl Work {
    pub(super) fn new() -> Self {
        Self {
            scratch: vec![0; SCRATCH].into(),
            ends: Instant::now(),
            has_ended: true,
            operations: 0,
            deferred: Vec::new(),
        }
    }

    pub(super) fn begin(&mut self, now: Instant) {
        self.ends = now + TURN;
        self.has_ended = false;
    }

    /// Has those go on who had to wait for this turn. Who was the first that had to took the last one, and goes last.
    pub(super) fn go_on(&mut self) {
        let first = self.deferred.first();
        let count = first.map_or(0, |first| {
            let is_first = |waker: &&Waker| waker.will_wake(first);
            self.deferred.iter().take_while(is_first).count()
        });
        self.deferred.rotate_left(count);
        self.deferred.drain(..).for_each(Waker::wake);
    }

    fn has_ended(&mut self) -> bool {
        self.operations = self.operations.wrapping_add(1);
        if self.operations.is_multiple_of(UNTIMED) {
            self.has_ended |= Instant::now() >= self.ends;
        }
        self.has_ended
    }
}

/// The reactor that runs tasks on this thread.
pub(super) fn reactor() -> io::Result<Arc<Shared>> {
    CURRENT
        .with_borrow(|turn| turn.as_ref().map(|turn| Arc::clone(&turn.reactor)))
        .ok_or_else(is_none)
}

/// Whether `reactor` runs tasks on this thread.
pub(super) fn is_of(reactor: &Arc<Shared>) -> bool {
    CURRENT.with_borrow(|turn| {
        turn.as_ref()
            .is_some_and(|turn| Arc::ptr_eq(&turn.reactor, reactor))
    })
}

/// Whether a reactor runs the caller's task.
pub(crate) fn is_current() -> bool {
    CURRENT.with_borrow(Option::is_some)
}

/// Has a socket read or written with what the turn has for that; pending, until the next one, where it has taken
/// long enough. `operate` may begin no task.
pub(super) fn poll_work<T>(
    context: &mut Context<'_>,
    operate: impl FnOnce(&mut Context<'_>, &mut Work) -> Poll<io::Result<T>>,
) -> Poll<io::Result<T>> {
    CURRENT.with_borrow_mut(|turn| {
        let Some(Turn { reactor, work }) = turn else {
            return Poll::Ready(Err(is_none()));
        };
        if !work.has_ended() {
            return operate(context, work);
        }
        if work.deferred.is_empty() {
            reactor.wake_poll();
        }
        work.deferred.push(context.waker().clone());
        Poll::Pending
    })
}

fn is_none() -> io::Error {
    io::Error::other("no reactor runs on this thread")
}

/// Has this thread know, until dropped, which reactor runs tasks on it.
pub(super) struct Entered<'a> {
    /// Where the turn's is kept between turns.
    work: &'a mut Option<Work>,
    outer: Option<Turn>,
}

impl<'a> Entered<'a> {
    pub(super) fn new(reactor: &Arc<Shared>, kept: &'a mut Option<Work>, began: Instant) -> Self {
        let mut work = kept.take().unwrap_or_else(Work::new);
        work.begin(began);
        let reactor = Arc::clone(reactor);
        Self {
            work: kept,
            outer: CURRENT.replace(Some(Turn { reactor, work })),
        }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        *self.work = CURRENT.replace(self.outer.take()).map(|turn| turn.work);
    }
}
