//! Kinds and flags of records, as `src/bridge/protocol.rs` documents them.

/// What JavaScript is told.
pub const REQUEST: u32 = 1;
pub const CANCELLED: u32 = 2;
pub const CONSUMED: u32 = 3;
pub const COMPLETED: u32 = 4;

/// What it answers.
pub const RESPOND: u32 = 1;
pub const STREAM: u32 = 2;
pub const CHUNK: u32 = 3;
pub const END: u32 = 4;
pub const FAIL: u32 = 5;

pub const JSON: u32 = 1 << 8;
pub const TEXT: u32 = 1 << 16;
pub const BYTES: u32 = 1 << 17;
pub const BUFFER: u32 = 1 << 18;
pub const CONTENT_APART: u32 = 1 << 19;
pub const CONTENT_ASCII: u32 = 1 << 22;
pub const NOT_KEPT: u32 = 0;
