//! An event as an entry of the stream.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::LazyLock,
};

use redis::{FromRedisValue, Value, streams::StreamId};

/// Fields of an entry: the lines of the event, its topic, and who has sent it to its subscribers already, as
/// which of those (`PROCESS-NUMBER`).
pub(super) const LINES: &str = "e";
pub(super) const TOPIC: &str = "t";
pub(super) const SENT_BY: &str = "s";

/// This process, in entries.
static PROCESS: LazyLock<String> =
    LazyLock::new(|| format!("{:016x}", RandomState::new().build_hasher().finish()));

/// What [`SENT_BY`] says of the event of that number of this process.
pub(super) fn sent_by(number: u64) -> String {
    format!("{}-{number}", *PROCESS)
}

/// The time and the number of an id.
pub(super) type Place = (u64, u64);

/// Where the entry of that id is.
pub(super) fn place_of(id: &str) -> Option<Place> {
    let (time, number) = id.split_once('-')?;
    Some((time.parse().ok()?, number.parse().ok()?))
}

/// An entry that is an event.
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) lines: String,
    pub(super) topic: Option<String>,
    sent_by: Option<String>,
}

impl Entry {
    pub(super) fn of(entry: &StreamId) -> Option<Self> {
        let field = |name| {
            let value = entry.map.get(name)?.clone();
            String::from_redis_value(value).ok()
        };
        Some(Self {
            id: entry.id.clone(),
            lines: field(LINES)?,
            topic: field(TOPIC),
            sent_by: field(SENT_BY),
        })
    }

    /// Its number among the events that this process has sent to its subscribers, where it is one.
    pub(super) fn sent_here(&self) -> Option<u64> {
        let (process, number) = self.sent_by.as_deref()?.split_once('-')?;
        (process == *PROCESS).then(|| number.parse().ok())?
    }
}

/// How large an entry is, whatever it is.
pub(super) fn bytes_of(entry: &StreamId) -> usize {
    let values = entry.map.values().map(|value| match value {
        Value::BulkString(bytes) => bytes.len(),
        _ => 0,
    });
    values.sum()
}
