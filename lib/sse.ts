import type { HttpResult as Contract, ServerSentEvent, SseOptions, SseSource } from '../index.js';
import { currentContext } from './context.js';
import { WapixError } from './errors.js';
import { mayHaveFields } from './headers.js';
import { HEARTBEAT, readLimit, unknownName } from './options.js';
import { HttpResult } from './result.js';
import { adopt } from './source.js';

const NAMES = { heartbeat: '', headers: '' } satisfies Record<keyof SseOptions, string>;

const EVENT_STREAM = 'text/event-stream';

/** What keeps caches and proxies from holding events back. */
const HEADERS = { 'cache-control': 'no-cache', 'x-accel-buffering': 'no' };

/** What a line of an event ends with (HTML standard, 9.2.5). */
const LINE_END = /\r\n|\r|\n/;
const IN_ONE_LINE = /[\r\n]/;

export function sse<Source extends SseSource>(
  source: Source,
  options: SseOptions = {},
): Contract<Source> {
  const unknown = unknownName(options, NAMES);
  if (unknown !== undefined) throw new WapixError('WAPIX_INVALID_OPTION', unknown);
  const { heartbeat = HEARTBEAT } = readLimit(
    'heartbeat',
    'heartbeat',
    'milliseconds',
    options.heartbeat,
  );
  adopt(source);
  const result = new HttpResult(
    200,
    source,
    eventHeaders(options.headers),
    'stream',
    EVENT_STREAM,
    currentContext(),
    {
      encode: encodeEvent,
      heartbeat,
    },
  );
  return result as unknown as Contract<Source>;
}

/** The header fields of events, those of the application before ours. */
export function eventHeaders(headers: SseOptions['headers']): SseOptions['headers'] {
  // What is no plain object is refused when it is written: a copy would have lost its fields.
  if (headers !== undefined && !mayHaveFields(headers)) return headers;
  const fields = Object.entries(headers ?? {}).filter(([, value]) => value !== undefined);
  const given = new Set(fields.map(([name]) => name.toLowerCase()));
  const ours = { 'content-type': EVENT_STREAM, ...HEADERS };
  const missing = Object.entries(ours).filter(([name]) => !given.has(name));
  return { ...Object.fromEntries(missing), ...headers };
}

/**
 * An event as it is sent (HTML standard, 9.2.6).
 *
 * @throws `WAPIX_INVALID_EVENT`
 */
function encodeEvent(event: unknown): string {
  const fields = encodeFields(event);
  const { id } = event as ServerSentEvent;
  return `${id === undefined ? '' : `id: ${checkId(id)}\n`}${fields}\n`;
}

/**
 * The lines of an event, all but the one of `id`.
 *
 * @throws `WAPIX_INVALID_EVENT`
 */
export function encodeFields(value: unknown): string {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) {
    throw invalid(`an event is an object, { data }, not ${value === null ? 'null' : shown(value)}`);
  }
  const { event, data, retry, comment } = value as ServerSentEvent;
  let lines = '';
  if (comment !== undefined) lines += split('', checkText('comment', comment));
  if (event !== undefined) lines += `event: ${checkLine('event', event)}\n`;
  if (retry !== undefined) lines += `retry: ${checkRetry(retry)}\n`;
  if (data !== undefined) lines += split('data', typeof data === 'string' ? data : toJson(data));
  if (lines === '' && (value as ServerSentEvent).id === undefined) {
    // Its client would get nothing, and nobody would know.
    throw invalid('an event has `data`, or one of `event`, `id`, `retry` and `comment`');
  }
  return lines;
}

/** A line for each line of `text`. A space after the colon is none of the value. */
function split(field: string, text: string): string {
  if (!IN_ONE_LINE.test(text)) return `${field}: ${text}\n`;
  return text
    .split(LINE_END)
    .map((line) => `${field}: ${line}\n`)
    .join('');
}

function toJson(data: unknown): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(data);
  } catch (cause) {
    throw invalid(`\`data\` has no JSON form: ${(cause as Error).message}`, cause);
  }
  if (json === undefined) throw invalid(`\`data\` is ${shown(data)}, which has no JSON form`);
  return json;
}

function checkText(field: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw invalid(`\`${field}\` is a string, not ${shown(value)}`);
}

function checkLine(field: string, value: unknown): string {
  const text = checkText(field, value);
  if (!IN_ONE_LINE.test(text)) return text;
  throw invalid(`\`${field}\` is ${JSON.stringify(text)}: it must have no line break`);
}

/** Clients pass over an id with NUL in it, and come back with the one before. */
function checkId(value: unknown): string {
  const id = checkLine('id', typeof value === 'number' ? String(value) : value);
  if (!id.includes('\0')) return id;
  throw invalid(`\`id\` is ${JSON.stringify(id)}: it must have no NUL character`);
}

function checkRetry(value: unknown): string {
  // Digits and nothing else: clients pass over a sign, a point or an exponent.
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return String(value);
  throw invalid(`\`retry\` is a whole number of milliseconds, not ${shown(value)}`);
}

function shown(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'string') return JSON.stringify(value);
  return `a value of type ${typeof value}`;
}

function invalid(message: string, cause?: unknown): WapixError {
  return new WapixError('WAPIX_INVALID_EVENT', message, { cause });
}
