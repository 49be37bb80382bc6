import { text } from 'wapix';
import { bounded, outcomeOf } from './outcome.mjs';
import { chunkedReadings, framings } from './rfc9112.mjs';
import { serve } from './server.mjs';

const BODY_LIMIT = 1 << 20;

/** What follows each request under test, so that every connection ends: one that closes it. */
const LAST = 'GET /last HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n';
/** What a body carries; run as a request where the end of the body was misread. */
export const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n';

/** A server that tells each connection's requests, by the client's port. */
export async function serveWitness(t) {
  const seen = new Map();
  const tell =
    (name) =>
    ({ raw, rawBody }) => {
      const port = raw.socket.remotePort;
      seen.set(port, [...(seen.get(port) ?? []), `${name} ${rawBody.length}`]);
      return text(name);
    };
  const server = await serve(
    t,
    {
      '/': { post: tell('outer'), get: tell('outer') },
      '/smuggled': { get: tell('smuggled') },
      '/last': { get: tell('last') },
    },
    // For those whose body never ends.
    { bodyLimit: BODY_LIMIT, requestTimeout: 1_000, headersTimeout: 1_000 },
  );
  // The system gives a client's port to another one later.
  const seenBy = (port) => {
    const requests = seen.get(port) ?? [];
    seen.delete(port);
    return requests;
  };
  return { server, seenBy };
}

/** What runs of the bytes after a body: empty lines may come before a request (2.2). */
function following(rest) {
  const seen = [];
  for (let left = rest; ; ) {
    left = left.replace(/^(\r\n)+/, '');
    if (left.startsWith(SMUGGLED)) seen.push('smuggled 0');
    else return left === LAST ? { seen: [...seen, 'last 0'], error: [] } : { seen, error: [400] };
    left = left.slice(SMUGGLED.length);
  }
}

/** The outcomes that RFC 9112 permits for one request. */
function permitted({ version, lines, rest }) {
  const outcomes = [];
  const answered = (length, after, closes) => {
    const outer = `outer ${length}`;
    // HTTP/1.0 closes where nothing else was said, and may where something was (9.3).
    if (closes || version === '1.0') outcomes.push({ seen: [outer], error: [] });
    if (closes) return;
    const { seen, error } = following(after);
    if (version === '1.1' || /^connection: keep-alive/im.test(lines)) {
      outcomes.push({ seen: [outer, ...seen], error });
    }
  };
  for (const reading of framings(version, lines, BODY_LIMIT)) {
    if (reading.refused) outcomes.push({ seen: [], error: reading.refused });
    else if (!reading.chunks) answered(reading.length, rest.slice(reading.length), reading.closes);
    else {
      for (const read of chunkedReadings(rest, BODY_LIMIT)) {
        if (read.refused) outcomes.push({ seen: [], error: read.refused });
        else if (read.waits) outcomes.push({ seen: [], error: [408] });
        else answered(read.body.length, read.rest, reading.closes);
      }
    }
  }
  return outcomes;
}

const isOutcome = ({ seen, statuses, left, ending }, outcome) => {
  const good = outcome.seen.map(() => 200);
  const [error, ...more] = statuses.slice(good.length);
  return (
    ending === 'end' &&
    left.length === 0 &&
    String(seen) === String(outcome.seen) &&
    String(statuses.slice(0, good.length)) === String(good) &&
    more.length === 0 &&
    (outcome.error.length === 0 ? error === undefined : outcome.error.includes(error))
  );
};

/**
 * Sends each `{ version, lines, body }` on a connection of its own.
 *
 * @returns those whose outcome RFC 9112 does not permit
 */
export async function forbidden(t, { server, seenBy }, requests) {
  const wrong = [];
  await bounded(requests, async ({ version, lines, body }) => {
    const head = `POST / HTTP/${version}\r\n${lines}\r\n`;
    const { port, ...outcome } = await outcomeOf(t, server, head + body + LAST);
    const observed = { ...outcome, seen: seenBy(port) };
    const allowed = permitted({ version, lines, rest: body + LAST });
    if (!allowed.some((outcome) => isOutcome(observed, outcome))) {
      wrong.push({ sent: head + body, observed, allowed });
    }
  });
  return wrong;
}
