import test from 'ava';
import {
  badRequest,
  conflict,
  created,
  forbidden,
  html,
  internalServerError,
  json,
  noContent,
  notFound,
  ok,
  redirect,
  status,
  stream,
  text,
  tooManyRequests,
  unauthorized,
  unprocessableContent,
} from 'wapix';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { captureErrors } from './helpers/log.mjs';
import { serve, serveGet } from './helpers/server.mjs';

captureErrors();

const JSON_TYPE = 'application/json';
const TEXT_TYPE = 'text/plain; charset=utf-8';

const RESULTS = [
  ['json', () => json({ a: 1 }), 200, JSON_TYPE, '{"a":1}'],
  ['json of null', () => json(null), 200, JSON_TYPE, 'null'],
  ['json of false', () => json(false), 200, JSON_TYPE, 'false'],
  ['json of zero', () => json(0), 200, JSON_TYPE, '0'],
  ['json of no text', () => json(''), 200, JSON_TYPE, '""'],
  ['json of an array', () => json([1, undefined]), 200, JSON_TYPE, '[1,null]'],
  ['json of a date', () => json(new Date(0)), 200, JSON_TYPE, '"1970-01-01T00:00:00.000Z"'],
  ['json beyond ASCII', () => json('🦀 ü'), 200, JSON_TYPE, '"🦀 ü"'],
  ['ok', () => ok([]), 200, JSON_TYPE, '[]'],
  ['created', () => created({ id: 7 }), 201, JSON_TYPE, '{"id":7}'],
  ['noContent', () => noContent(), 204, undefined, ''],
  ['badRequest', () => badRequest({ error: 'no' }), 400, JSON_TYPE, '{"error":"no"}'],
  ['badRequest without data', () => badRequest(), 400, undefined, ''],
  ['notFound', () => notFound({ error: 'gone' }), 404, JSON_TYPE, '{"error":"gone"}'],
  ['notFound without data', () => notFound(), 404, undefined, ''],
  ['status', () => status(418, { tea: true }), 418, JSON_TYPE, '{"tea":true}'],
  ['status without data', () => status(503), 503, undefined, ''],
  ['status of null', () => status(200, null), 200, JSON_TYPE, 'null'],
  ['the lowest status', () => status(200, 1), 200, JSON_TYPE, '1'],
  ['the highest status', () => status(599, 1), 599, JSON_TYPE, '1'],
  ['status 204 with data', () => status(204, { a: 1 }), 204, undefined, ''],
  ['status 304', () => status(304, undefined, { etag: '"1"' }), 304, undefined, ''],
  ['unauthorized', () => unauthorized({ a: 1 }), 401, JSON_TYPE, '{"a":1}'],
  ['unauthorized without data', () => unauthorized(), 401, undefined, ''],
  ['forbidden', () => forbidden({ a: 1 }), 403, JSON_TYPE, '{"a":1}'],
  ['forbidden without data', () => forbidden(), 403, undefined, ''],
  ['conflict', () => conflict({ a: 1 }), 409, JSON_TYPE, '{"a":1}'],
  ['conflict without data', () => conflict(), 409, undefined, ''],
  ['unprocessableContent', () => unprocessableContent([]), 422, JSON_TYPE, '[]'],
  ['unprocessableContent without data', () => unprocessableContent(), 422, undefined, ''],
  ['tooManyRequests', () => tooManyRequests({ a: 1 }), 429, JSON_TYPE, '{"a":1}'],
  ['tooManyRequests without data', () => tooManyRequests(), 429, undefined, ''],
  ['internalServerError', () => internalServerError({ a: 1 }), 500, JSON_TYPE, '{"a":1}'],
  ['internalServerError without data', () => internalServerError(), 500, undefined, ''],
  ['redirect', () => redirect('/a'), 302, undefined, ''],
  ['redirect for good', () => redirect('/a', 308), 308, undefined, ''],
  ['html', () => html('<p>é'), 200, 'text/html; charset=utf-8', '<p>é'],
  ['text', () => text('hello'), 200, TEXT_TYPE, 'hello'],
  ['text beyond ASCII', () => text('é€🦀'), 200, TEXT_TYPE, 'é€🦀'],
  ['no text', () => text(''), 200, TEXT_TYPE, ''],
  ['a promise', async () => text('later'), 200, TEXT_TYPE, 'later'],
  // biome-ignore lint/suspicious/noThenProperty: what `await` takes, a handler may return
  ['a thenable', () => ({ then: (done) => done(text('soon')) }), 200, TEXT_TYPE, 'soon'],
];

test('each helper has its status, media type and content; all on one connection', async (t) => {
  const routes = RESULTS.map(([, make], index) => [`/${index}`, { get: make }]);
  const server = await serve(t, Object.fromEntries(routes));
  const client = await connect(t, server);
  for (const [index, [name, , code, type, content]] of RESULTS.entries()) {
    client.send(requestBytes(`GET /${index}`));
    const response = await client.response();
    t.is(response.status, code, name);
    t.is(response.field('content-type'), type, name);
    t.is(response.text, content, name);
    t.is(response.field('transfer-encoding'), undefined, name);
    const bodiless = code === 204 || code === 304;
    t.is(
      response.field('content-length'),
      bodiless ? undefined : String(Buffer.byteLength(content)),
      name,
    );
    t.truthy(response.field('date'), name);
    t.is(client.bytes.length, 0, `${name}: nothing follows`);
  }
});

/** What HEAD must not change; a length of zero may be left out, as Node does. */
function steady({ status, fields }) {
  const isSteady = ([name, value]) =>
    name !== 'date' && !(name === 'content-length' && value === '0');
  return [status, fields.filter(isSteady)];
}

test('HEAD has the same head and no content; all on one connection', async (t) => {
  const routes = RESULTS.map(([, make], index) => [`/${index}`, { get: make }]);
  const server = await serve(t, Object.fromEntries(routes));
  const client = await connect(t, server);
  for (const [index, [name]] of RESULTS.entries()) {
    client.send(requestBytes(`HEAD /${index}`));
    const head = await client.response('HEAD');
    client.send(requestBytes(`GET /${index}`));
    const get = await client.response();
    t.deepEqual(steady(head), steady(get), name);
  }
});

const HEADERS = [
  [
    'a content type wins, whatever its case',
    () => json({}, { 'CONTENT-TYPE': 'application/problem+json' }),
    'content-type',
    ['application/problem+json'],
  ],
  ['of text too', () => text('', { 'Content-type': 'text/css' }), 'content-type', ['text/css']],
  ['created sets Location', () => created({}, '/users/7'), 'location', ['/users/7']],
  ['created at a URL', () => created({}, new URL('http://a/é')), 'location', ['http://a/%C3%A9']],
  ['created with headers only', () => created({}, { 'x-a': 'b' }), 'x-a', ['b']],
  ['created with headers only has no Location', () => created({}, { a: 'b' }), 'location', []],
  ['created with both', () => created({}, '/users/7', { 'x-a': 'b' }), 'x-a', ['b']],
  [
    'a given Location wins, whatever its case',
    () => created({}, '/users/7', { LOCATION: '/users/8' }),
    'location',
    ['/users/8'],
  ],
  ['redirect sets Location', () => redirect('/a?b=c#d'), 'location', ['/a?b=c#d']],
  [
    'redirect encodes what is not ASCII',
    () => redirect('/ü/€?%20'),
    'location',
    ['/%C3%BC/%E2%82%AC?%20'],
  ],
  ['so does created', () => created({}, '/🦀'), 'location', ['/%F0%9F%A6%80']],
  ['half a surrogate pair in a Location', () => redirect('/\ud83e'), 'location', ['/%EF%BF%BD']],
  ['redirect has headers', () => redirect('/a', 303, { 'x-a': '1' }), 'x-a', ['1']],
  ['redirect has one Location', () => redirect('/a', 302, { LOCATION: '/b' }), 'location', ['/b']],
  [
    'html of another content type',
    () => html('', { 'Content-Type': 'application/xhtml+xml' }),
    'content-type',
    ['application/xhtml+xml'],
  ],
  [
    'html of an undefined content type',
    () => html('', { 'content-type': undefined }),
    'content-type',
    ['text/html; charset=utf-8'],
  ],
  ['html has headers', () => html('', { 'x-a': '1' }), 'x-a', ['1']],
  [
    'unauthorized has headers',
    () => unauthorized(undefined, { 'WWW-Authenticate': 'Bearer' }),
    'www-authenticate',
    ['Bearer'],
  ],
  [
    'tooManyRequests has headers',
    () => tooManyRequests({}, { 'Retry-After': 3 }),
    'retry-after',
    ['3'],
  ],
  [
    'an array is one field for each value',
    () => json({}, { 'Set-Cookie': ['a=1; Path=/', 'b=2'] }),
    'set-cookie',
    ['a=1; Path=/', 'b=2'],
  ],
  ['an empty array is no field', () => json({}, { 'x-a': [] }), 'x-a', []],
  ['a number', () => json({}, { 'x-a': 0 }), 'x-a', ['0']],
  ['an undefined header is none', () => json({}, { 'x-a': undefined }), 'x-a', []],
  [
    'an undefined content type is none given',
    () => json({}, { 'content-type': undefined }),
    'content-type',
    [JSON_TYPE],
  ],
  ['an empty value', () => json({}, { 'x-a': '' }), 'x-a', ['']],
  ['a tab', () => json({}, { 'x-a': 'a\tb' }), 'x-a', ['a\tb']],
  ['up to U+00FF leaves as Latin-1', () => json({}, { 'x-a': 'é ÿ' }), 'x-a', ['é ÿ']],
  [
    'a name may be any token',
    () => json({}, { "!#$%&'*+-.^_`|~09aZ": '1' }),
    "!#$%&'*+-.^_`|~09az",
    ['1'],
  ],
  ['noContent has headers', () => noContent({ 'x-a': '1' }), 'x-a', ['1']],
  ['badRequest has headers', () => badRequest({}, { 'x-a': '1' }), 'x-a', ['1']],
  ['notFound has headers', () => notFound({}, { 'x-a': '1' }), 'x-a', ['1']],
  ['status has headers', () => status(402, {}, { 'x-a': '1' }), 'x-a', ['1']],
  [
    'a header named as a property of every object',
    () => json({}, { constructor: 'a' }),
    'constructor',
    ['a'],
  ],
];

for (const [name, make, field, values] of HEADERS) {
  test(`headers: ${name}`, async (t) => {
    const server = await serveGet(t, make);
    const response = await request(t, server, 'GET /');
    const got = response.fields.filter(([key]) => key === field).map(([, value]) => value);
    t.deepEqual(got, values);
    t.true(response.status < 500);
  });
}

test('a result tells what it was made of', (t) => {
  const headers = { 'x-a': '1' };
  const data = { a: 1 };
  const result = json(data, headers);
  t.is(result.status, 200);
  t.is(result.body, data);
  t.is(result.headers, headers);
  t.is(noContent().body, undefined);
  t.is(created(data, '/a').status, 201);
  t.is(status(418, data).status, 418);
});

for (const code of [199, 600, 0, -1, 200.5, Number.NaN, '200', undefined]) {
  test(`status(${JSON.stringify(code)}) is an error where it is called`, (t) => {
    t.throws(() => status(code, {}), { code: 'WAPIX_INVALID_STATUS' });
  });
}

for (const code of [200, 300, 304, 400, '302', null]) {
  test(`redirect with ${JSON.stringify(code)} is an error where it is called`, (t) => {
    t.throws(() => redirect('/a', code), { code: 'WAPIX_INVALID_STATUS', message: /308/ });
  });
}

for (const location of [undefined, null]) {
  test(`redirect to ${location} is an error where it is called`, (t) => {
    const message = `redirect(${location}): there is no location`;
    t.throws(() => redirect(location), { code: 'WAPIX_INVALID_HEADER', message });
  });
}

test('one result may be returned many times', async (t) => {
  const result = json({ same: true }, { 'x-a': '1' });
  const server = await serveGet(t, () => result);
  const client = await connect(t, server);
  for (let round = 0; round < 3; round += 1) {
    client.send(requestBytes('GET /'));
    t.deepEqual((await client.response()).json, { same: true });
  }
});

test('data is read when the result is returned, not later', async (t) => {
  const data = { when: 'returned' };
  const server = await serveGet(t, () => {
    queueMicrotask(() => {
      data.when = 'changed';
    });
    return json(data);
  });
  t.deepEqual((await request(t, server, 'GET /')).json, { when: 'returned' });
});

// Around the sizes at which content changes its way to the I/O thread.
for (const size of [16_383, 16_384, 16_385, 65_535, 65_536, 131_073, 5_000_000]) {
  test(`content of ${size} characters arrives whole`, async (t) => {
    const ascii = 'a'.repeat(size);
    const wide = '€'.repeat(size);
    const server = await serve(t, {
      '/ascii': { get: () => text(ascii) },
      '/wide': { get: () => text(wide) },
      '/json': { get: () => json({ ascii }) },
    });
    t.true((await request(t, server, 'GET /ascii')).text === ascii);
    t.true((await request(t, server, 'GET /wide')).text === wide);
    t.true((await request(t, server, 'GET /json')).json.ascii === ascii);
  });
}

test('text of any length and any width is whole, many responses at a time', async (t) => {
  const widths = ['x', 'é', '€', '🦀', 'x🦀', '\ud83e'];
  const lengths = [1, 1_023, 1_024, 1_025, 5_461, 16_383, 16_384, 16_385, 60_000];
  const texts = widths.flatMap((width) => lengths.map((length) => width.repeat(length)));
  const server = await serve(t, {
    '/:index': { get: ({ params }) => text(texts[params.index]) },
  });
  const responses = await Promise.all(texts.map((_, index) => request(t, server, `GET /${index}`)));
  for (const [index, { body }] of responses.entries()) {
    t.true(body.equals(Buffer.from(texts[index])), `text ${index}`);
  }
});

test('half a surrogate pair is U+FFFD, and the next response is whole', async (t) => {
  const server = await serve(t, {
    '/high': { get: () => text('a\ud83e') },
    '/low': { get: () => text('\udd80b') },
  });
  const clients = await Promise.all(Array.from({ length: 16 }, () => connect(t, server)));
  for (const [index, client] of clients.entries()) {
    client.send(requestBytes(index % 2 === 0 ? 'GET /high' : 'GET /low'));
  }
  const texts = await Promise.all(clients.map(async (client) => (await client.response()).text));
  t.deepEqual(new Set(texts), new Set(['a\ufffd', '\ufffdb']));
});

test('many large and small answers in one batch stay apart', async (t) => {
  const server = await serve(t, {
    '/:index': {
      get: ({ params }) => {
        const index = Number(params.index);
        const content = String(index).repeat(1 + ((index * 977) % 9000));
        return index % 2 === 0 ? text(content) : json({ content }, { 'x-pad': 'p'.repeat(index) });
      },
    },
  });
  const indexes = Array.from({ length: 150 }, (_, index) => index);
  const clients = await Promise.all(indexes.map(() => connect(t, server)));
  for (const index of indexes) clients[index].send(requestBytes(`GET /${index}`));
  for (const index of indexes) {
    const response = await clients[index].response();
    const content = index % 2 === 0 ? response.text : response.json.content;
    t.true(content === String(index).repeat(1 + ((index * 977) % 9000)), `${index}`);
  }
});

test('many answers to requests that came at once are whole', async (t) => {
  const contentOf = (id) => String(id).padEnd(15_000, '€');
  const server = await serve(t, { '/:id': { get: ({ params }) => text(contentOf(params.id)) } });
  const client = await connect(t, server);
  const ids = Array.from({ length: 60 }, (_, index) => index);
  client.send(Buffer.concat(ids.map((id) => requestBytes(`GET /${id}`))));
  for (const id of ids) t.true((await client.response()).text === contentOf(id), String(id));
});

test('headers of any size leave whole', async (t) => {
  const cookies = Array.from({ length: 40 }, (_, index) => `${index}=${'c'.repeat(4000)}`);
  const server = await serveGet(t, () => text('whole', { 'set-cookie': cookies }));
  const client = await connect(t, server);
  for (let round = 0; round < 2; round += 1) {
    client.send(requestBytes('GET /'));
    const response = await client.response();
    t.is(response.text, 'whole');
    t.deepEqual(
      response.fields.filter(([key]) => key === 'set-cookie').map(([, value]) => value),
      cookies,
    );
  }
});

test('Connection: close closes after the response', async (t) => {
  const server = await serveGet(t, () => text('bye', { Connection: 'close' }));
  const client = await connect(t, server);
  client.send(requestBytes('GET /'));
  const response = await client.response();
  t.is(response.text, 'bye');
  t.is(response.field('connection'), 'close');
  t.is(await client.ended(), 'end');
});

test('pipelined requests are answered in their order', async (t) => {
  const server = await serve(t, {
    '/slow': { get: () => new Promise((resolve) => setImmediate(resolve, text('slow'))) },
    '/fast': { get: () => text('fast') },
  });
  const client = await connect(t, server);
  client.send(requestBytes('GET /slow'), requestBytes('GET /fast'), requestBytes('GET /slow'));
  const texts = [];
  for (let round = 0; round < 3; round += 1) texts.push((await client.response()).text);
  t.deepEqual(texts, ['slow', 'fast', 'slow']);
});

test('a copy of a result, with other header fields, is a result', async (t) => {
  const results = [json({ a: 1 }, { 'X-A': '1' }), text('b'), stream(['c'].values()), noContent()];
  const server = await serve(t, {
    '/:index': {
      get: ({ params }) => {
        const result = results[params.index];
        return { ...result, headers: { ...result.headers, 'X-B': '2' } };
      },
    },
  });
  for (const [index, { status }] of results.entries()) {
    const response = await request(t, server, `GET /${index}`);
    t.is(response.status, status);
    t.is(response.field('x-a'), index === 0 ? '1' : undefined);
    t.is(response.field('x-b'), '2');
    t.is(response.text, ['{"a":1}', 'b', 'c', ''][index]);
  }
});
