// What happens in the same moment as `close()`: it is served or closed, nothing in between, and the server ends.

import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { text } from 'wapix';
import { CERT, KEY } from './helpers/certificate.mjs';
import { opener } from './helpers/channel.mjs';
import { connect, requestBytes } from './helpers/client.mjs';
import { within } from './helpers/deadline.mjs';
import { deferred, until } from './helpers/events.mjs';
import { readResponse } from './helpers/message.mjs';
import { serve } from './helpers/server.mjs';

const open = opener('racing with close');
const GET = requestBytes('GET /');
const HALF = 20;
const POST = requestBytes('POST /', {}, 'posted');

/** What became of a connection on which one request is answered, or none. */
async function outcome(client) {
  await client.ended();
  const { bytes } = client;
  client.destroy();
  if (bytes.length === 0) return 'closed';
  const response = readResponse(bytes, { method: 'GET', ended: true });
  return response?.complete && response.length === bytes.length ? 'served' : bytes.toString();
}

/**
 * A server that closes when so many of these have begun what they do, with some turns of the event loop between
 * them: what became of each, and of those whether they had begun before.
 */
async function race(t, before, turns, tls) {
  const room = open();
  const [asked, answer] = [deferred(), deferred()];
  const told = [];
  room.on('join', () => told.push('join'));
  room.on('leave', () => told.push('leave'));
  const later = () => {
    asked.resolve();
    return answer.promise;
  };
  const routes = {
    '/': { get: () => text('x'.repeat(100_000)), post: ({ body }) => text(body) },
    '/later': { get: later },
    '/room': { get: (req) => room.subscribe(req) },
  };
  const server = await serve(t, routes, tls ? { https: { key: KEY, cert: CERT } } : {});
  const { port } = server.address();
  const kept = async () => {
    const client = await connect(t, server, { tls });
    client.send(GET);
    await client.response();
    return client;
  };
  const [asks, subscribes, posts, waits] = await Promise.all([kept(), kept(), kept(), kept()]);
  waits.send(requestBytes('GET /later'));
  await asked.promise;
  const what = {
    'asks over an idle connection': () => outcome(asks.send(GET)),
    connects: () => {
      const connecting = connect(t, server, { tls, host: '127.0.0.1', port });
      return connecting.then(
        (client) => outcome(client.send(GET)),
        () => 'refused',
      );
    },
    subscribes: () => outcome(subscribes.send(requestBytes('GET /room'))),
    'has sent one half, and sends the other': async () => {
      posts.send(POST.subarray(0, HALF));
      await turn();
      return outcome(posts.send(POST.subarray(HALF)));
    },
    'is answered': () => {
      answer.resolve(text('late'));
      return outcome(waits);
    },
  };
  const begun = [];
  let closing;
  for (const [at, [name, does]] of Object.entries(what).entries()) {
    if (at === before) closing = new Promise((resolve) => server.close(resolve));
    begun.push([name, closing === undefined, does()]);
    for (let left = turns; left > 0; left -= 1) await turn();
  }
  closing ??= new Promise((resolve) => server.close(resolve));
  t.is(await within(closing, `the end of the server, closed before ${before}`), undefined);
  const became = [];
  for (const [name, isBefore, promise] of begun) became.push([name, isBefore, await promise]);
  t.is(room.size, 0);
  await until(() => told.length % 2 === 0, 'who has joined has left');
  t.deepEqual(told, told.length > 0 ? ['join', 'leave'] : []);
  return became;
}

for (const tls of [false, true]) {
  for (const turns of [0, 1, 3]) {
    test.serial(
      `all of them end, with ${turns} turns in between${tls ? ', over TLS' : ''}`,
      async (t) => {
        const races = Array.from({ length: 6 }, (_, before) => race(t, before, turns, tls));
        for (const [before, became] of (await Promise.all(races)).entries()) {
          for (const [name, isBefore, how] of became) {
            // What was written before is there. Node encrypts later, and the handshake is given up.
            const isSure = name === 'is answered' || (isBefore && name !== 'connects' && !tls);
            const wanted = isSure ? ['served'] : ['served', 'closed'];
            // Nobody else has connected and is not accepted; elsewhere the system resets some.
            if (name === 'connects' && !tls && process.platform === 'linux') wanted.pop();
            if (name === 'connects') wanted.push('refused');
            t.true(wanted.includes(how), `closed before ${before}: who ${name} was ${how}`);
          }
        }
      },
    );
  }
}
