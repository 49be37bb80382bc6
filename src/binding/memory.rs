//! Memory of bursts, given back: the allocator keeps what was freed for a next burst, which may never
//! come.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::pool;

/// How long after a burst: what has to be freed for it has been.
const DELAY: Duration = Duration::from_secs(1);

/// What gives free memory back to the system a moment after it is called on a runtime: after the last call,
/// too, where there is another meanwhile.
pub(super) fn give_back() -> impl Fn() + Send + Sync + 'static {
    let calls = Arc::new(AtomicUsize::new(0));
    move || {
        if calls.fetch_add(1, Ordering::Relaxed) > 0 {
            return;
        }
        let calls = Arc::clone(&calls);
        tokio::spawn(async move {
            let mut seen = 0;
            while let Err(now) =
                calls.compare_exchange(seen, 0, Ordering::Relaxed, Ordering::Relaxed)
            {
                seen = now;
                tokio::time::sleep(DELAY).await;
                // On another thread: with much to give back it takes some milliseconds.
                let _ = tokio::task::spawn_blocking(|| {
                    pool::clear();
                    trim();
                })
                .await;
            }
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
