//! The records' kinds and flags, as `src/bridge/protocol.rs` documents them.

pub(crate) const REQUEST: u32 = 1;
pub(crate) const CANCELLED: u32 = 2;
pub(crate) const CONSUMED: u32 = 3;
pub(crate) const COMPLETED: u32 = 4;
pub(crate) const RESPOND: u32 = 1;
pub(crate) const STREAM: u32 = 2;
pub(crate) const CHUNK: u32 = 3;
pub(crate) const END: u32 = 4;
pub(crate) const FAIL: u32 = 5;
pub(crate) const UTF8_PATH: u32 = 1 << 16;
pub(crate) const HTTP_10: u32 = 1 << 17;
pub(crate) const ENCRYPTED: u32 = 1 << 18;
pub(crate) const CONTENT_APART: u32 = 1 << 19;
pub(crate) const CONTENT_ASCII: u32 = 1 << 22;
pub(crate) const HTTP_2: u32 = 1 << 20;
pub(crate) const LONG_VALUE: u8 = 255;
pub(crate) const NOT_KEPT: u32 = 0;
pub(crate) const PLACES: usize = 256;
pub(crate) const SOURCES: [u32; 4] = [0, 1 << 16, 1 << 17, 1 << 18];
pub(crate) const MEDIA_TYPES: [&str; 3] = ["", "application/json", "text/plain; charset=utf-8"];

pub(crate) const BATCH_REQUESTS: usize = 64;
pub(crate) const INLINE_CONTENT: usize = 16 * 1024;
pub(crate) const NAMES: [&str; 4] = ["host", "x-a", "content-type", "set-cookie"];
