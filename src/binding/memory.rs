//! Memory of bursts, given back: the allocator keeps what was freed for a next burst, which may never
//! come.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How long after a burst: what has to be freed for it has been.
const DELAY: Duration = Duration::from_secs(1);

/// What gives free memory back to the system a moment after it is called on a runtime.
pub(super) fn give_back() -> impl Fn() + Send + Sync + 'static {
    let is_due = Arc::new(AtomicBool::new(false));
    move || {
        if is_due.swap(true, Ordering::Relaxed) {
            return;
        }
        let is_due = Arc::clone(&is_due);
        tokio::spawn(async move {
            tokio::time::sleep(DELAY).await;
            is_due.store(false, Ordering::Relaxed);
            // On another thread: with much to give back it takes some milliseconds.
            tokio::task::spawn_blocking(trim);
        });
    }
}

/// Of the C library, whose allocator Rust and Node use. Others give memory back by themselves.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the C library's own, which std does not offer")]
fn trim() {
    // SAFETY: it takes no pointer, locks each arena it looks at (malloc_trim(3): MT-Safe), and gives
    // back only what is free. With another allocator preloaded it finds nothing of that one's.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn trim() {}
