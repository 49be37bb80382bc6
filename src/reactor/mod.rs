//! An event loop that turns when it is told to, by any thread: sockets, and the tasks that wait for them.
//!
//! tokio's runtime wants a thread to itself: turned from outside, it wakes itself up by each turn. So
//! sockets are watched here, with mio, and tasks polled here. What may happen beside does, on a thread of its
//! own: timers, and what blocks.

mod current;
mod polled;
mod relief;
mod source;
mod tasks;
mod timers;

use std::{
    io,
    os::fd::{AsRawFd, RawFd},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use async_task::Runnable;
use slab::Slab;

use self::{
    current::{Entered, TURN, UNTIMED, Work},
    source::Source,
    tasks::Tasks,
    timers::Timers,
};

pub(crate) use self::{current::is_current, polled::Polled, relief::Relief};

/// How many events of the system are taken at a time.
const EVENTS: usize = 256;
/// How often in one turn tasks that are ready again are run, before the loop's owner gets its turn: fewer times where
/// they take long.
const ROUNDS: u32 = 32;
/// mio's token of the waker; those of sockets are their numbers in the slab.
const WAKER: mio::Token = mio::Token(usize::MAX);

/// Nobody has asked for a turn since the last one.
const IDLE: u8 = 0;
/// Tasks are run.
const RUNNING: u8 = 1;
/// A task is ready.
const WOKEN: u8 = 2;

/// Sockets and tasks, for whichever thread turns it.
pub struct Reactor {
    driver: Mutex<Driver>,
    descriptor: RawFd,
    shared: Arc<Shared>,
    timers: Timers,
}

/// What one thread has at a time: who turns it.
struct Driver {
    poll: mio::Poll,
    events: mio::Events,
    /// The tasks of this round.
    ready: Vec<Runnable>,
    /// There between turns.
    work: Option<Work>,
}

/// What a turn came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Turned {
    /// How long tasks have run.
    pub took: Duration,
    /// Whether the system told of anything.
    pub came: bool,
}

/// What sockets and wakers need of the reactor.
struct Shared {
    registry: mio::Registry,
    waker: mio::Waker,
    state: AtomicU8,
    tasks: Tasks,
    sources: Mutex<Slab<Arc<Source>>>,
}

/// Begins a task of the reactor that runs the caller's.
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    if let Ok(reactor) = current::reactor() {
        tasks::spawn(&reactor, task);
    }
}

impl Reactor {
    /// A reactor. Timers and up to `blocking_threads` calls that block have threads of
    /// their own.
    ///
    /// # Errors
    /// The system is out of descriptors or threads.
    pub fn new(blocking_threads: usize) -> io::Result<Self> {
        let poll = mio::Poll::new()?;
        let shared = Arc::new(Shared {
            registry: poll.registry().try_clone()?,
            waker: mio::Waker::new(poll.registry(), WAKER)?,
            state: AtomicU8::new(IDLE),
            tasks: Tasks::default(),
            sources: Mutex::default(),
        });
        Ok(Self {
            descriptor: poll.as_raw_fd(),
            driver: Mutex::new(Driver {
                poll,
                events: mio::Events::with_capacity(EVENTS),
                ready: Vec::new(),
                work: None,
            }),
            shared,
            timers: Timers::start(blocking_threads)?,
        })
    }

    /// Adds a task, which first runs in the next turn.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        tasks::spawn(&self.shared, task);
    }

    /// Makes the descriptor readable, and so asks for a turn. From any thread.
    pub fn wake(&self) {
        self.shared.ask();
    }

    /// A way to ask for a turn.
    pub(crate) fn turns(&self) -> Turns {
        Turns(Arc::clone(&self.shared))
    }

    /// Waits for up to `timeout` for something to happen, or for ever, and runs the tasks that wait for
    /// it. `None`, without waiting, while another thread turns it.
    pub fn turn(&self, timeout: Option<Duration>) -> Option<Turned> {
        let mut driver = self.driver()?;
        let Driver {
            poll,
            events,
            ready,
            work,
        } = &mut *driver;
        // Fails where a signal interrupts it: what has happened is still there in the next turn.
        let polled = poll.poll(events, timeout);
        // Not before: until here another thread's wake-up has to reach the descriptor.
        self.shared.state.swap(RUNNING, Ordering::AcqRel);
        // Before those that something has happened to: of these there may be others in each turn.
        if let Some(work) = work {
            work.go_on();
        }
        if polled.is_ok() {
            let sources = lock(&self.shared.sources);
            for event in &*events {
                if let Some(source) = sources.get(event.token().0) {
                    source.happened(event);
                }
            }
        }
        let began = Instant::now();
        let _entered = Entered::new(&self.shared, work, began);
        let _timers = self.timers.enter();
        self.run(ready, began);
        Some(Turned {
            took: began.elapsed(),
            came: !events.is_empty(),
        })
    }

    /// Does `what`, runs the tasks that it makes ready, and waits for nothing: how long that took, or `None`, with
    /// nothing done, while another thread turns it.
    pub fn run_after(&self, what: impl FnOnce()) -> Option<Duration> {
        let mut driver = self.driver()?;
        let Driver { ready, work, .. } = &mut *driver;
        let began = Instant::now();
        let _entered = Entered::new(&self.shared, work, began);
        let _timers = self.timers.enter();
        self.shared.state.swap(RUNNING, Ordering::AcqRel);
        what();
        if !self.shared.settle() {
            self.run(ready, began);
        }
        Some(began.elapsed())
    }

    /// `None` while another thread has it.
    fn driver(&self) -> Option<MutexGuard<'_, Driver>> {
        match self.driver.try_lock() {
            Ok(driver) => Some(driver),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// How many sockets are watched.
    pub(crate) fn sockets(&self) -> usize {
        lock(&self.shared.sources).len()
    }

    fn run(&self, ready: &mut Vec<Runnable>, began: Instant) {
        for round in 1..=ROUNDS {
            self.shared.state.swap(RUNNING, Ordering::AcqRel);
            self.shared.tasks.swap_ready(ready);
            for task in ready.drain(..) {
                task.run();
            }
            if self.shared.settle() {
                return;
            }
            if round.is_multiple_of(UNTIMED) && began.elapsed() >= TURN {
                break;
            }
        }
        self.shared.state.store(IDLE, Ordering::Release);
        self.wake();
    }

    /// Ends all tasks where they are.
    pub fn stop(&self) {
        let mut driver = lock(&self.driver);
        let Driver { ready, work, .. } = &mut *driver;
        if let Some(work) = work {
            // They hold the tasks, whose schedulers hold `shared`.
            work.deferred.clear();
        }
        let _entered = Entered::new(&self.shared, work, Instant::now());
        let _timers = self.timers.enter();
        ready.clear();
        self.shared.tasks.end();
    }
}

impl Drop for Reactor {
    /// Tasks hold what they are waked through, which holds them.
    fn drop(&mut self) {
        self.stop();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic ends the task that it is of, and leaves nothing half done under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl AsRawFd for Reactor {
    /// Readable when there is something to be done in a turn.
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor
    }
}

impl Shared {
    /// Whether no task is ready, and a wake-up has to reach the descriptor from now on.
    fn settle(&self) -> bool {
        (self.state)
            .compare_exchange(RUNNING, IDLE, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Makes the descriptor readable.
    fn wake_poll(&self) {
        // It fails never: the counter behind it holds 2^64 - 2 wake-ups, and is reset when full.
        let _ = self.waker.wake();
    }

    /// Asks for a turn. From any thread.
    fn ask(&self) {
        // While tasks run, whoever runs them looks again.
        if self.state.swap(WOKEN, Ordering::AcqRel) == IDLE {
            self.wake_poll();
        }
    }
}

/// Asks for turns of a reactor, from any thread.
pub(crate) struct Turns(Arc<Shared>);

impl Turns {
    /// Asks for a turn, unless the caller is in one: whose owner looks when it ends.
    pub(crate) fn ensure(&self) {
        if !current::is_of(&self.0) {
            self.0.ask();
        }
    }
}
