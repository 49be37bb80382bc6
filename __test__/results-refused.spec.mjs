// Results that cannot be sent as they are: an error, and never a response that nobody meant.

import { Readable } from 'node:stream';
import { inspect } from 'node:util';
import test from 'ava';
import { html, internalServerError, json, redirect, sse, stream } from 'wapix';
import { request } from './helpers/client.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';
import { serve } from './helpers/server.mjs';

captureErrors();

test('headers in place of a content type are an error where stream is called', (t) => {
  const headers = { 'content-type': 'text/csv' };
  t.throws(() => stream(Readable.from([]), headers), {
    code: 'WAPIX_INVALID_HEADER',
    message: /text\/csv/,
  });
});

for (const code of [999, 101, 200.5, '200', 'ok', undefined]) {
  test(`a result whose status was set to ${JSON.stringify(code)} is answered 500`, async (t) => {
    const source = new Readable({ read() {} });
    const results = { '/json': json({}), '/stream': stream(source) };
    for (const result of Object.values(results)) result.status = code;
    const routes = Object.entries(results).map(([path, result]) => [path, { get: () => result }]);
    const server = await serve(t, Object.fromEntries(routes));
    for (const path of Object.keys(results)) {
      const response = await request(t, server, `GET ${path}`);
      t.is(response.status, 500);
      t.deepEqual(response.json, { error: 'Internal Server Error' });
    }
    t.true(source.destroyed);
    t.true(errorsNaming('GET /json').some((entry) => entry.includes('WAPIX_INVALID_STATUS')));
  });
}

for (const headers of [null, 5, 'x-a: 1', [['x-a', '1']], new Map([['x-a', '1']])]) {
  test(`headers that are ${inspect(headers)} are answered 500, and say so`, async (t) => {
    const results = [
      () => json({}, headers),
      () => html('', headers),
      () => redirect('/a', 302, headers),
      () => sse(Readable.from([]), { headers }),
    ];
    const errors = [];
    const routes = results.map((get, at) => [`/${at}`, { get }]);
    const onError = (error) => {
      errors.push(error.code);
      return internalServerError();
    };
    const server = await serve(t, Object.fromEntries(routes), { onError });
    for (const [path] of routes) t.is((await request(t, server, `GET ${path}`)).status, 500);
    t.deepEqual(
      errors,
      results.map(() => 'WAPIX_INVALID_HEADER'),
    );
  });
}
