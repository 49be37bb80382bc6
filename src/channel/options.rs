//! How a channel keeps and sends its events.

use std::time::Duration;

use super::RedisOptions;

/// The settings of a channel.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelOptions {
    /// How many of the last events are kept for clients that come back.
    pub history_events: usize,
    /// How many bytes of them, as they are encoded.
    pub history_bytes: usize,
    /// How many bytes may wait for one subscriber, beside what it missed before it came. A single event
    /// may be larger.
    pub queue: usize,
    /// What becomes of a subscriber that more would have to wait for.
    pub slow: Slow,
    /// After how long without an event a subscriber is sent a comment.
    pub heartbeat: Option<Duration>,
    /// How long clients are told to wait before they connect again: this, and up to as long again.
    pub retry: Duration,
    /// Where its events are, where it is one of several processes.
    pub redis: Option<RedisOptions>,
}

/// What becomes of a subscriber that takes events more slowly than they come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Slow {
    /// Its connection is reset: it comes back, and gets what it missed.
    Disconnect,
    /// What waits for it is dropped, for the newest event.
    Latest,
}

impl Default for ChannelOptions {
    fn default() -> Self {
        Self {
            history_events: 1000,
            history_bytes: 1 << 20,
            queue: 256 << 10,
            slow: Slow::Disconnect,
            heartbeat: Some(Duration::from_secs(15)),
            retry: Duration::from_secs(2),
            redis: None,
        }
    }
}
