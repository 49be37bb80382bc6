import type { Content } from './bridge/outbox.js';
import { currentContext } from './context.js';
import { WapixError } from './errors.js';
import { isPromise } from './promise.js';
import type { HttpResult } from './result.js';
import { isSource, toReadable } from './source.js';
import { discard } from './stream.js';

/**
 * The content of a result that is no stream.
 *
 * @throws `WAPIX_INVALID_DATA`
 */
export function contentOf({ form, body }: HttpResult): Content {
  if (form === 'none') return undefined;
  if (typeof body === 'object' && body !== null) refuseLater(body);
  if (form === 'text') return String(body);
  let content: string | undefined;
  try {
    content = JSON.stringify(body);
  } catch (cause) {
    throw invalid(`the data has no JSON form: ${(cause as Error).message}`, cause);
  }
  if (content === undefined) throw invalid(`${typeof body} has no JSON form`);
  return content;
}

/** What comes later is no data: JSON would make `{}` of it, or tell what a stream has inside. */
function refuseLater(data: object): void {
  if (isPromise(data)) {
    if (!('toJSON' in data)) throw invalid('the data is a promise; await it');
  } else if (isSource(data) && !('toJSON' in data)) {
    discard(toReadable(data), currentContext());
    throw invalid(
      'the data is a stream; return stream(source) or, with another status, { ...stream(source), status }',
    );
  }
}

function invalid(message: string, cause?: unknown): WapixError {
  return new WapixError('WAPIX_INVALID_DATA', message, { cause });
}
