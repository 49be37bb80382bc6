// Results that cannot be sent as they are: an error, and never a response that nobody meant.

import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import test from 'ava';
import {
  html,
  internalServerError,
  json,
  notFound,
  redirect,
  sse,
  status,
  stream,
  text,
} from 'wapix';
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

for (const [name, make] of Object.entries({
  'a Readable': () => Readable.from(['a']),
  'a file': () => createReadStream(fileURLToPath(import.meta.url)),
  'a file that is not there': () => createReadStream('/nowhere/at/all'),
  'a web stream': () => new Blob(['a']).stream(),
  'an async generator': () => (async function* () {})(),
  'a promise': () => Promise.resolve({ a: 1 }),
})) {
  test(`${name} is no data: 500, and a message that says what to return`, async (t) => {
    const helpers = [(data) => json(data), (data) => status(206, data), notFound, text];
    const sources = [];
    const errors = [];
    const routes = helpers.map((helper, at) => {
      const get = () => {
        sources.push(make());
        return helper(sources.at(-1));
      };
      return [`/${at}`, { get }];
    });
    const onError = (error) => {
      errors.push(error);
      return internalServerError();
    };
    const server = await serve(t, Object.fromEntries(routes), { onError });
    for (const [path] of routes) t.is((await request(t, server, `GET ${path}`)).status, 500);
    t.is(errors.length, helpers.length);
    for (const { code, message } of errors) {
      t.is(code, 'WAPIX_INVALID_DATA');
      t.regex(message, name === 'a promise' ? /await/ : /\{ \.\.\.stream\(source\), status \}/);
    }
    for (const source of sources) if (source instanceof Readable) t.true(source.destroyed);
  });
}

for (const data of [undefined, () => {}, Symbol('data')]) {
  test(`${typeof data} is no data: 500, and the log says so`, async (t) => {
    const path = `/no-data-${typeof data}`;
    const server = await serve(t, { [path]: { get: () => json(data) } });
    t.is((await request(t, server, `GET ${path}`)).status, 500);
    t.regex(errorsNaming(`GET ${path} `)[0], new RegExp(`${typeof data} has no JSON form`));
  });
}

test('data that can be iterated, or awaited, and has a JSON form is sent', async (t) => {
  class Page {
    data = [1, 2];
    async *[Symbol.asyncIterator]() {}
  }
  const query = Object.assign(Promise.resolve(), { toJSON: () => 'query' });
  const server = await serve(t, {
    '/page': { get: () => json(new Page()) },
    '/query': { get: () => json(query) },
  });
  t.deepEqual((await request(t, server, 'GET /page')).json, { data: [1, 2] });
  t.is((await request(t, server, 'GET /query')).json, 'query');
});

test('a stream is sent with the status of its copy', async (t) => {
  const source = new Readable({ read() {} });
  const server = await serve(t, {
    '/unchanged': { get: () => ({ ...stream(source, undefined, { ETag: '"a"' }), status: 304 }) },
    '/': {
      get: () => ({
        ...stream(Readable.from(['part']), 'text/plain', { 'Content-Range': 'bytes 0-3/9' }),
        status: 206,
      }),
    },
  });
  const response = await request(t, server, 'GET /');
  t.is(response.status, 206);
  t.is(response.field('content-range'), 'bytes 0-3/9');
  t.is(response.text, 'part');
  const unchanged = await request(t, server, 'GET /unchanged');
  t.deepEqual([unchanged.status, unchanged.field('etag')], [304, '"a"']);
  t.is(unchanged.field('content-type'), undefined);
  t.true(source.destroyed);
});

test('what HEAD and 304 are told of a length is that of GET', async (t) => {
  const told = { 'Content-Length': 1234 };
  const server = await serve(t, {
    '/head': { get: () => json({}), head: () => status(200, undefined, told) },
    '/unchanged': { get: () => status(304, undefined, told) },
  });
  const head = await request(t, server, 'HEAD /head');
  t.deepEqual([head.status, head.field('content-length')], [200, '1234']);
  t.is((await request(t, server, 'GET /unchanged')).status, 304);
});

test('205 has no content, whatever was returned with it', async (t) => {
  const source = new Readable({ read() {} });
  source.push('content');
  const server = await serve(t, {
    '/data': { get: () => status(205, { a: 1 }) },
    '/stream': { get: () => ({ ...stream(source), status: 205 }) },
  });
  for (const path of ['/data', '/stream']) {
    const response = await request(t, server, `GET ${path}`);
    t.deepEqual([response.status, response.text, response.complete], [205, '', true]);
  }
  t.true(source.destroyed);
});
