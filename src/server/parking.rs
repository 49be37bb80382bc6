//! Connections that have been idle for a while: what HTTP needs of memory to read a request is let go of, and had
//! again when there is one.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How many more parked connections are worth giving their memory back to the system.
const MANY: usize = 256;

/// The parked connections of a server.
pub(crate) struct Parking {
    parked: AtomicUsize,
    /// How many there were when memory was given back last, or fewer since.
    settled: AtomicUsize,
    on_many: Box<dyn Fn() + Send + Sync>,
}

/// Counts a connection for as long as it is parked.
pub(super) struct Parked<'a>(&'a Parking);

impl Parking {
    /// Calls `on_many` when many more connections are parked than there were.
    pub(crate) fn new(on_many: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            parked: AtomicUsize::new(0),
            settled: AtomicUsize::new(0),
            on_many: Box::new(on_many),
        }
    }

    pub(super) fn park(&self) -> Parked<'_> {
        let parked = self.parked.fetch_add(1, Ordering::Relaxed) + 1;
        if parked >= self.settled.load(Ordering::Relaxed) + MANY {
            self.settled.store(parked, Ordering::Relaxed);
            (self.on_many)();
        }
        Parked(self)
    }
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        let parked = self.0.parked.fetch_sub(1, Ordering::Relaxed) - 1;
        self.0.settled.fetch_min(parked, Ordering::Relaxed);
    }
}
