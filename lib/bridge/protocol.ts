/**
 * The records that cross between JavaScript and Rust; `src/bridge/protocol.rs` describes them, and
 * both files change together.
 */

export const REQUEST = 1;
export const CANCELLED = 2;
export const CONSUMED = 3;
export const COMPLETED = 4;
export const CLOSED = 5;
export const FILE_FAILED = 6;
export const DRAINED = 7;
export const BODY = 9;
export const BODY_END = 10;
export const BODY_FAILED = 11;
export const SUBSCRIBED = 8;

export const RESPOND = 1;
export const STREAM = 2;
export const CHUNK = 3;
export const END = 4;
export const FAIL = 5;
export const READ = 9;
export const HEARTBEAT = 7;
export const SUBSCRIBE = 8;

/** What became of a chunk written directly, as `write` of the binding tells. */
export const WRITTEN_NOT = 0;
export const WRITTEN_PARTLY = 2;

export const UTF8_PATH = 1 << 16;
export const HTTP_10 = 1 << 17;
export const ENCRYPTED = 1 << 18;
export const CONTENT_APART = 1 << 19;
export const HTTP_2 = 1 << 20;
export const CONTENT_STREAMED = 1 << 21;
export const CONTENT_ASCII = 1 << 22;
export const ALLOWED_SHIFT = 24;

/** The place of header fields that are not kept. */
export const NOT_KEPT = 0;
/** Stands before the length of a header field's value that is so long or longer. */
export const LONG_VALUE = 255;

export const CONTENT_TEXT = 1 << 16;
export const CONTENT_BYTES = 1 << 17;
export const CONTENT_BUFFER = 1 << 18;

/** Of a streamed answer: its head leaves with the first of the content, and not before. */
export const AWAITS_CONTENT = 1 << 16;

/** Of a subscription: it is to be told of; it is of some topics only. */
export const FOLLOWED = 1 << 16;
export const TOPICS = 1 << 17;

/** Media types that need no header text, by the number that crosses. */
export const MEDIA_NONE = 0;
export const MEDIA_JSON = 1;
export const MEDIA_TEXT = 2;

/** Methods, by the number that crosses. */
export const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

/** Words that `take` uses before the first record. */
export const BATCH_HEADER_WORDS = 4;
export const TAKEN_BATCH = 1;
export const TAKEN_NEEDS_ROOM = 2;
