//! When a response was made, for its `Date` (RFC 9110, 6.6.1).

use std::{cell::Cell, io::Write, time::SystemTime};

use http::{HeaderMap, HeaderValue, header};
use httpdate::HttpDate;

/// How long a date is (RFC 9110, 5.6.7).
const DATE: usize = 29;

/// The time, which is written once a second.
pub(crate) fn date() -> [u8; DATE] {
    thread_local! {
        static WRITTEN: Cell<(u64, [u8; DATE])> = const { Cell::new((0, [0; DATE])) };
    }
    let now = SystemTime::now();
    let second = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let (written, date) = WRITTEN.get();
    if written == second {
        return date;
    }
    let mut date = [b' '; DATE];
    // It is as long as the room for it.
    let _ = write!(&mut date[..], "{}", HttpDate::from(now));
    WRITTEN.set((second, date));
    date
}

/// Dates a response that hyper writes, where its handler has not. hyper's own date stands still when the clock is set
/// back, until that has caught up.
pub(crate) fn add_date(headers: &mut HeaderMap) {
    if let header::Entry::Vacant(entry) = headers.entry(header::DATE)
        && let Ok(date) = HeaderValue::from_bytes(&date())
    {
        entry.insert(date);
    }
}
