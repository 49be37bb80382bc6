//! A thread that turns a reactor in its owner's place, while that is busy or has many sockets.
//!
//! Where a thread of its own has the sockets, each request that comes alone wakes two threads, one after the
//! other. So the owner has them, until it does not come to them or others could do more of the work at the
//! same time; the thread gives them back when that is over.

use std::{
    io,
    os::fd::AsFd,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Reactor, Turned};

/// How long an owner may leave alone what is to be done: streams, files and timeouts of others wait, too.
const PATIENCE: Duration = Duration::from_millis(4);
/// How long what the owner is to do may wait for more of it, while more comes at once: to be called costs as much
/// as several requests.
const GATHER: Duration = Duration::from_micros(200);
/// How many times in a row there is nothing to be done before nobody looks, until there is.
const QUIET: u32 = 256;
/// How many sockets are few, the listening one counted.
const FEW: usize = 33;
/// How long the owner's work is summed up before it is judged.
const SPELL: Duration = Duration::from_millis(10);
/// How long the thread turns, at least.
const SHIFT: Duration = Duration::from_millis(100);

/// Turns a reactor by turns with its owner, until it is dropped, which is the owner's to do.
pub(crate) struct Relief {
    shifts: Arc<Shifts>,
    thread: Option<JoinHandle<()>>,
    /// The owner's, since it was judged.
    spell: Mutex<Spell>,
}

/// What the owner and the thread have in common.
struct Shifts {
    reactor: Arc<Reactor>,
    /// The thread turns it, and not its owner.
    on_thread: AtomicBool,
    /// For good.
    stays: AtomicBool,
    ends: AtomicBool,
    /// How often the owner has turned it.
    turns: AtomicU32,
    /// What the owner has done besides since the thread began to, in nanoseconds.
    occupied: AtomicU64,
}

/// Where the time of a while has gone.
struct Spell {
    began: Instant,
    /// Into turns, and what is done after others' work.
    turning: Duration,
    /// Into the owner's own work.
    occupied: Duration,
}

impl Spell {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            turning: Duration::ZERO,
            occupied: Duration::ZERO,
        }
    }

    /// Whether two threads do so much more than one that they may tell each other of everything: the owner has
    /// much to do besides, or there is much that does not concern it, as files are sent.
    fn is_for_two(&self) -> bool {
        let elapsed = self.began.elapsed();
        self.occupied * 2 > elapsed
            || (self.turning * 4 > elapsed && self.turning > self.occupied * 10)
    }
}

impl Relief {
    /// Begins with the owner's turns. `is_due` tells whether the owner has something to do, `call` has it look for
    /// that, and whether it is to turn again; both are the thread's to ask, and neither may block.
    ///
    /// # Errors
    /// The system is out of threads.
    pub(crate) fn start(
        reactor: Arc<Reactor>,
        is_due: impl Fn() -> bool + Send + 'static,
        call: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let shifts = Arc::new(Shifts {
            reactor,
            on_thread: AtomicBool::new(false),
            stays: AtomicBool::new(false),
            ends: AtomicBool::new(false),
            turns: AtomicU32::new(0),
            occupied: AtomicU64::new(0),
        });
        let of_thread = Arc::clone(&shifts);
        let thread = thread::Builder::new()
            .name("wapix-io-1".to_owned())
            .spawn(move || of_thread.run(&is_due, &call))?;
        Ok(Self {
            shifts,
            thread: Some(thread),
            spell: Mutex::new(Spell::new()),
        })
    }

    /// Whether the owner is not to turn.
    pub(crate) fn is_on_thread(&self) -> bool {
        self.shifts.on_thread.load(Ordering::Acquire)
    }

    /// The owner is about to do something else.
    pub(crate) fn turned(&self) {
        self.shifts.turns.fetch_add(1, Ordering::Relaxed);
    }

    /// The owner has turned for so long, and been occupied besides for so long.
    pub(crate) fn judge(&self, turning: Duration, occupied: Duration) {
        if self.is_on_thread() {
            let nanoseconds = u64::try_from(occupied.as_nanos()).unwrap_or(u64::MAX);
            (self.shifts.occupied).fetch_add(nanoseconds, Ordering::Relaxed);
            return;
        }
        let mut spell = self.spell.lock().unwrap_or_else(PoisonError::into_inner);
        spell.turning += turning;
        spell.occupied += occupied;
        let is_over = spell.began.elapsed() >= SPELL;
        let hands_over = self.shifts.reactor.sockets() > FEW || (is_over && spell.is_for_two());
        if hands_over {
            self.hand_over();
        }
        if hands_over || is_over {
            *spell = Spell::new();
        }
    }

    /// Has the thread turn from now on.
    fn hand_over(&self) {
        self.shifts.begin();
        self.wake();
    }

    /// Has the thread turn for good.
    pub(crate) fn hand_over_for_good(&self) {
        self.shifts.stays.store(true, Ordering::SeqCst);
        self.hand_over();
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
        self.shifts.reactor.wake();
    }
}

impl Drop for Relief {
    fn drop(&mut self) {
        self.shifts.ends.store(true, Ordering::Release);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // A panic has been printed by the panic hook, and there is nothing left to stop.
            let _ = thread.join();
        }
    }
}

impl Shifts {
    fn run(&self, is_due: &impl Fn() -> bool, call: &impl Fn()) {
        while !self.ends.load(Ordering::Acquire) {
            if self.on_thread.load(Ordering::Acquire) {
                self.take_turns(is_due, call);
                call();
            } else {
                self.stand_by();
            }
        }
    }

    fn begin(&self) {
        self.occupied.store(0, Ordering::Relaxed);
        self.on_thread.store(true, Ordering::SeqCst);
    }

    /// Turns until the owner is to.
    fn take_turns(&self, is_due: &impl Fn() -> bool, call: &impl Fn()) {
        let mut spell = Spell::new();
        // Since when there is something for the owner that it was not called for.
        let mut due = None;
        while !self.ends.load(Ordering::Acquire) {
            let timeout = due.map(|_: Instant| Duration::ZERO);
            let Turned { took, came } = self.reactor.turn(timeout).unwrap_or_else(|| {
                // The owner is about to find out that it does not turn any more.
                thread::yield_now();
                Turned::default()
            });
            spell.turning += took;
            due = is_due().then(|| due.unwrap_or_else(|| Instant::now() - took));
            if due.is_some_and(|since| !came || since.elapsed() >= GATHER) {
                call();
                due = None;
            }
            if spell.began.elapsed() < SHIFT || self.stays.load(Ordering::Relaxed) {
                continue;
            }
            spell.occupied = Duration::from_nanos(self.occupied.swap(0, Ordering::Relaxed));
            if self.reactor.sockets() <= FEW && !spell.is_for_two() {
                break;
            }
            spell = Spell::new();
        }
        self.on_thread.store(false, Ordering::SeqCst);
        // Looked at again: said meanwhile, it would have been taken back.
        if self.stays.load(Ordering::SeqCst) {
            self.on_thread.store(true, Ordering::SeqCst);
        }
    }

    /// Looks whether the owner turns when there is something to be done.
    fn stand_by(&self) {
        self.is_waiting(None);
        let (mut turns, mut quiet) = (self.turns.load(Ordering::Relaxed), 0);
        while quiet < QUIET && !self.is_wanted() {
            thread::park_timeout(PATIENCE);
            let before = std::mem::replace(&mut turns, self.turns.load(Ordering::Relaxed));
            if before != turns {
                quiet = 0;
            } else if self.is_waiting(Some(Duration::ZERO)) {
                self.begin();
            } else {
                quiet += 1;
            }
        }
    }

    fn is_wanted(&self) -> bool {
        self.on_thread.load(Ordering::Acquire) || self.ends.load(Ordering::Acquire)
    }

    /// Whether there is something to be done, waiting for it for so long, or for ever.
    fn is_waiting(&self, timeout: Option<Duration>) -> bool {
        let registry = &self.reactor.shared.registry;
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut watched = [PollFd::from_borrowed_fd(registry.as_fd(), PollFlags::IN)];
        poll(&mut watched, timeout.as_ref()).is_ok_and(|ready| ready > 0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::{os::unix::net::UnixStream, sync::mpsc};

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        sync::Notify,
    };

    use super::*;
    use crate::reactor::Polled;

    /// Long enough for any machine, short enough to end a test that hangs.
    const DEADLINE: Duration = Duration::from_secs(30);

    /// A relieved reactor, and what is sent when its owner is to turn again.
    fn relieved() -> (Arc<Reactor>, Relief, mpsc::Receiver<()>) {
        let reactor = Arc::new(Reactor::new(1).unwrap());
        let (returned, returns) = mpsc::channel();
        let on_return = move || returned.send(()).unwrap();
        let relief = Relief::start(Arc::clone(&reactor), || false, on_return).unwrap();
        (reactor, relief, returns)
    }

    /// Runs a task, and waits until it has run: who calls turns nothing.
    fn is_run(reactor: &Reactor) {
        let (run, runs) = mpsc::channel();
        reactor.spawn(async move { run.send(()).unwrap() });
        runs.recv_timeout(DEADLINE).unwrap();
    }

    #[test]
    fn what_the_owner_does_not_come_to_is_done() {
        let (reactor, relief, _returns) = relieved();
        is_run(&reactor);
        assert!(relief.is_on_thread());
    }

    #[test]
    fn the_owner_turns_again_when_there_is_little_to_do() {
        let (reactor, relief, returns) = relieved();
        is_run(&reactor);
        while relief.is_on_thread() {
            is_run(&reactor);
            // What comes without a pause is much.
            thread::sleep(Duration::from_millis(5));
        }
        returns.recv_timeout(DEADLINE).unwrap();
        let (run, runs) = mpsc::channel();
        reactor.spawn(async move { run.send(()).unwrap() });
        // Unless the thread was quicker.
        reactor.turn(Some(Duration::ZERO));
        runs.recv_timeout(DEADLINE).unwrap();
    }

    #[test]
    fn many_sockets_are_the_threads() {
        let (reactor, relief, _returns) = relieved();
        let (made, sockets) = mpsc::channel();
        let stays = Arc::new(Notify::new());
        let ends = Arc::clone(&stays);
        reactor.spawn(async move {
            let pairs: Vec<_> = (0..FEW).map(|_| UnixStream::pair().unwrap()).collect();
            let polled: Vec<_> = pairs
                .into_iter()
                .flat_map(|(one, other)| [Polled::new(one).unwrap(), Polled::new(other).unwrap()])
                .collect();
            made.send(()).unwrap();
            ends.notified().await;
            drop(polled);
        });
        sockets.recv_timeout(DEADLINE).unwrap();
        relief.judge(Duration::ZERO, Duration::ZERO);
        // For longer than it takes to give few back.
        let until = Instant::now() + 3 * SHIFT;
        while Instant::now() < until {
            is_run(&reactor);
            assert!(relief.is_on_thread());
        }
        stays.notify_one();
        while relief.is_on_thread() {
            is_run(&reactor);
            // What comes without a pause is much.
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn an_owner_that_is_occupied_is_relieved() {
        let (reactor, relief, returns) = relieved();
        // Until the spell is over.
        while !relief.is_on_thread() {
            relief.judge(Duration::ZERO, DEADLINE);
            reactor.turn(Some(Duration::ZERO));
            relief.turned();
        }
        assert!(returns.try_recv().is_err());
    }

    #[test]
    fn an_owner_that_has_to_do_is_called_however_much_comes() {
        let reactor = Arc::new(Reactor::new(1).unwrap());
        let (called, calls) = mpsc::channel();
        let due = Arc::new(AtomicBool::new(false));
        let is_due = Arc::clone(&due);
        let relief = Relief::start(
            Arc::clone(&reactor),
            move || is_due.load(Ordering::Relaxed),
            move || called.send(()).unwrap(),
        )
        .unwrap();
        relief.hand_over_for_good();
        // Each byte that is written is one that the system tells of in the next turn.
        reactor.spawn(async move {
            let (one, other) = UnixStream::pair().unwrap();
            one.set_nonblocking(true).unwrap();
            other.set_nonblocking(true).unwrap();
            let (mut one, mut other) = (Polled::new(one).unwrap(), Polled::new(other).unwrap());
            loop {
                one.write_all(b".").await.unwrap();
                other.read_u8().await.unwrap();
                due.store(true, Ordering::Relaxed);
            }
        });
        calls.recv_timeout(DEADLINE).unwrap();
    }

    #[test]
    fn what_is_handed_over_for_good_stays() {
        let (reactor, relief, returns) = relieved();
        relief.hand_over_for_good();
        let until = Instant::now() + 3 * SHIFT;
        while Instant::now() < until {
            is_run(&reactor);
            assert!(relief.is_on_thread());
        }
        assert!(returns.try_recv().is_err());
    }
}
