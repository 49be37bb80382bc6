// Hundreds of malformed requests (fixtures/malformed.mjs): each is refused or its connection closed,
// no handler runs, and nobody else notices.

import test from 'ava';
import { text } from 'wapix';
import { MALFORMED } from './fixtures/malformed.mjs';
import { bounded, outcomeOf, wellBehaved } from './helpers/outcome.mjs';
import { serve } from './helpers/server.mjs';

const REFUSALS = [400, 408, 414, 413, 431, 501, 505];

/** A server that tells the targets whose handlers ran. */
async function serveAll(t) {
  const ran = [];
  const tell = ({ method, url }) => {
    ran.push(`${method} ${url}`);
    return text('ran');
  };
  const methods = { get: tell, post: tell, put: tell, delete: tell, patch: tell, options: tell };
  const server = await serve(
    t,
    { '/': methods, '/*rest': methods },
    { headersTimeout: 500, requestTimeout: 500, keepAliveTimeout: 500 },
  );
  return { server, ran };
}

test('there are more than two hundred, each with a name and bytes of its own', (t) => {
  const all = Object.entries(MALFORMED).flatMap(([family, requests]) =>
    requests.map(([name, bytes]) => [`${family}: ${name}`, bytes]),
  );
  t.true(all.length > 200, String(all.length));
  t.is(new Set(all.map(([name]) => name)).size, all.length);
  t.is(new Set(all.map(([, bytes]) => bytes)).size, all.length);
});

for (const [family, requests] of Object.entries(MALFORMED)) {
  test.serial(`${family}: refused or closed, no handler runs, others are answered`, async (t) => {
    const { server, ran } = await serveAll(t);
    const behave = await wellBehaved(t, server);
    const wrong = [];
    let over = false;
    const sending = bounded(requests, async ([name, bytes]) => {
      const outcome = await outcomeOf(t, server, bytes);
      const { statuses, ending } = outcome;
      const refused = statuses.length === 0 || REFUSALS.includes(statuses[0]);
      if (!refused || statuses.length > 1 || ending !== 'end') wrong.push({ name, outcome });
    }).finally(() => {
      over = true;
    });
    let asked = 0;
    while (!over) {
      t.is((await behave()).text, 'ran');
      asked += 1;
    }
    await sending;
    t.deepEqual(wrong, []);
    t.is(ran.length, asked);
  });
}
