/**
 * Every error code of wapix, with the status that answers a request it stops (none where it is
 * thrown at start-up).
 */
const CODES = {
  /** The addon's binary is missing, or the system's loader refuses it. */
  WAPIX_BINDING_NOT_LOADED: undefined,
  /** A command-line or `createServer` option cannot be used. */
  WAPIX_INVALID_OPTION: undefined,
  /** A route pattern is malformed, or a handler is no function. */
  WAPIX_INVALID_ROUTE: undefined,
  /** Two routes clash. */
  WAPIX_ROUTE_CONFLICT: undefined,
  /** A route file could not be loaded. */
  WAPIX_ROUTE_LOAD: undefined,
  /** There is no routes directory. */
  WAPIX_ROUTES_NOT_FOUND: undefined,
  /** There is no tsconfig.json that types could be written for. */
  WAPIX_NO_TSCONFIG: undefined,
  /** A TLS key or certificate cannot be used. */
  WAPIX_INVALID_TLS: undefined,
  /** There is a channel of the name, with other options. */
  WAPIX_CHANNEL_CONFLICT: 500,
  /** The backplane of a channel has not taken an event. */
  WAPIX_BACKPLANE_UNAVAILABLE: 500,
  /** A JSON body is malformed. */
  WAPIX_INVALID_JSON: 400,
  /** A URL-encoded form is malformed. */
  WAPIX_INVALID_FORM: 400,
  /** A multipart body is malformed. */
  WAPIX_INVALID_MULTIPART: 400,
  /** A body that the handler has as it comes is larger than the route's limit. */
  WAPIX_BODY_TOO_LARGE: 413,
  /** Nothing of such a body came for too long. */
  WAPIX_BODY_TIMEOUT: 408,
  /** Such a body ended before its end. */
  WAPIX_BODY_INCOMPLETE: 400,
  /** A handler took longer than its route allows. */
  WAPIX_HANDLER_TIMEOUT: 503,
  /** A handler returned something that is no result. */
  WAPIX_INVALID_RESULT: 500,
  /** A web `Response` whose body has been read, or is being read. */
  WAPIX_RESPONSE_USED: 500,
  /** A status code outside 200–599, or one that redirects nobody. */
  WAPIX_INVALID_STATUS: 500,
  /** A cookie that browsers would refuse, or misread. */
  WAPIX_INVALID_COOKIE: 500,
  /** A response header field that must not be sent. */
  WAPIX_INVALID_HEADER: 500,
  /** Data that has no JSON form. */
  WAPIX_INVALID_DATA: 500,
  /** A stream produced a chunk that is neither text nor bytes. */
  WAPIX_INVALID_CHUNK: 500,
  /** An event that must not be sent. */
  WAPIX_INVALID_EVENT: 500,
  /** A response's content is shorter or longer than its `Content-Length`. */
  WAPIX_CONTENT_LENGTH_MISMATCH: 500,
  /** A stream was destroyed before its end. */
  WAPIX_STREAM_PREMATURE_CLOSE: 500,
} as const;

export type ErrorCode = keyof typeof CODES;

/** An error wapix raises on purpose; `code` is stable, the message is for people. */
export class WapixError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, { cause }: { cause?: unknown } = {}) {
    // One that is undefined would be printed, too.
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'WapixError';
    this.code = code;
  }

  /** The status that answers a request stopped by this error. */
  get status(): number {
    return CODES[this.code] ?? 500;
  }
}

/** The errors that one of wapix's was made of: none, one or several. */
export function causesOf({ cause }: WapixError): unknown[] {
  if (cause === undefined) return [];
  return cause instanceof AggregateError ? cause.errors : [cause];
}

/** An error thrown by the addon carries one of our codes: make it ours. */
export function fromNative(error: unknown): unknown {
  if (error instanceof Error && 'code' in error && String(error.code) in CODES) {
    return new WapixError(error.code as ErrorCode, error.message);
  }
  return error;
}
