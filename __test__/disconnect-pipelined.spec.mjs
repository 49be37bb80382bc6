// As in disconnect.spec.mjs, but for clients that have sent another request behind the first.

import test from 'ava';
import { stream, text } from 'wapix';
import { CERT, KEY } from './helpers/certificate.mjs';
import { connect, requestBytes } from './helpers/client.mjs';
import { noticed } from './helpers/deadline.mjs';
import { aborted, closed, until } from './helpers/events.mjs';
import { PLAIN_WAYS, TLS_WAYS, visit } from './helpers/leaving.mjs';
import { captureErrors } from './helpers/log.mjs';
import { serve } from './helpers/server.mjs';
import { manual } from './helpers/source.mjs';

captureErrors();

const NOTHING = Buffer.alloc(0);
const TLS = { https: { key: KEY, cert: CERT } };

/** Serves streams, each of a source of its own, at once or once their clients have left, and a POST. */
async function serveStreams(t, options) {
  const requests = [];
  const posts = [];
  const keep = (signal) => {
    const source = manual();
    requests.push({ signal, source });
    return stream(source, 'text/event-stream');
  };
  const late = async ({ signal }) => {
    const answer = keep(signal);
    await aborted(signal);
    return answer;
  };
  const post = ({ body }) => {
    posts.push(body);
    return text('posted');
  };
  const routes = {
    '/stream': { get: ({ signal }) => keep(signal) },
    '/pending': { get: late },
    '/post': { post },
    '/other': { get: () => text('other') },
  };
  return { server: await serve(t, routes, options), requests, posts };
}

for (const [over, tls, ways] of [
  ['', false, PLAIN_WAYS],
  [' over TLS', true, TLS_WAYS],
]) {
  for (const [how, leave] of ways) {
    for (const [what, first] of [
      ['a stream', '/stream'],
      ['a handler that is pending', '/pending'],
    ]) {
      for (const [which, along, later, expected] of [
        ['A GET', requestBytes('GET /stream'), NOTHING, 2],
        ['A POST that waits', requestBytes('POST /post', {}, 'whole'), NOTHING, 1],
        // A FIN arrives behind the body, so that one must have room in the system's buffers.
        ['A later POST', NOTHING, requestBytes('POST /post', {}, Buffer.alloc(50_000)), 1],
      ]) {
        test(`${which} behind ${what} does not hide ${how}${over}`, async (t) => {
          const { server, requests, posts } = await serveStreams(t, tls ? TLS : {});
          const visitor = await visit(t, server, tls);
          // In one piece: behind a stream that has begun, a GET may wait, too.
          visitor.client.send(Buffer.concat([requestBytes(`GET ${first}`), along]));
          await until(() => requests.length === expected, 'the handlers are called');
          if (first === '/stream') await visitor.client.head();
          visitor.client.send(later);
          const other = await connect(t, server, { tls });
          for (let round = 0; round < 10; round += 1) {
            await other.send(requestBytes('GET /other')).response();
          }
          for (const { source, signal } of requests) {
            t.false(source.destroyed);
            t.false(signal.aborted);
          }
          leave(visitor);
          const each = requests.flatMap(({ source, signal }) => [closed(source), aborted(signal)]);
          await noticed(Promise.all(each));
          t.is(requests.length, expected);
          t.deepEqual(posts, [], 'it has waited');
        });
      }
    }
  }
}
