import test from 'ava';
import { json } from 'wapix';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';
import { serve } from './helpers/server.mjs';

captureErrors();

const echo = ({ body, rawBody }) =>
  json({ type: body === undefined ? 'undefined' : typeof body, body, bytes: rawBody.length });
const ROUTES = { '/': { post: echo, get: echo, put: echo, patch: echo, delete: echo } };

/** What a handler saw of a body. */
async function seen(t, type, content, line = 'POST /') {
  const server = await serve(t, ROUTES);
  const response = await request(t, server, line, type ? { 'content-type': type } : {}, content);
  t.is(response.status, 200, response.text);
  return response.json;
}

const JSON_TYPES = [
  'application/json',
  'application/json; charset=utf-8',
  'APPLICATION/JSON',
  'application/json ;charset=UTF-8',
  'application/problem+json',
  'application/vnd.api+json; version=1',
  'image/svg+JSON',
];

for (const type of JSON_TYPES) {
  test(`${type} is parsed`, async (t) => {
    t.deepEqual((await seen(t, type, '{"a":[1,"ü",null]}')).body, { a: [1, 'ü', null] });
  });
}

for (const type of ['application/jsonp', 'application/json5', 'text/json', 'text/plain; a=+json']) {
  test(`${type} is text`, async (t) => {
    t.is((await seen(t, type, '{"a":1}')).body, '{"a":1}');
  });
}

test('the first Content-Type counts, wherever it stands', async (t) => {
  const server = await serve(t, ROUTES);
  const fields = [
    ['x-long', 'x'.repeat(300)],
    ['x-longest-in-one-byte', 'x'.repeat(254)],
    ['content-type', 'application/json'],
    ['content-type', 'text/plain'],
  ];
  for (const headers of [fields, [...fields.slice(2), ...fields.slice(0, 2)]]) {
    const client = await connect(t, server);
    // Such header fields are kept when they come again.
    for (const round of [1, 2, 3]) {
      const head = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
      client.send(`POST / HTTP/1.1\r\nHost: a\r\n${head}Content-Length: 3\r\n\r\n[${round}]`);
      t.deepEqual(JSON.parse((await client.response()).body).body, [round]);
    }
  }
});

for (const [content, value] of [
  ['null', null],
  ['0', 0],
  ['""', ''],
  ['false', false],
  [' \r\n\t[] \n', []],
  ['\ufeff{"bom":true}', { bom: true }],
  ['{"a":1,"a":2}', { a: 2 }],
  ['"\\ud83e\\udd80"', '🦀'],
]) {
  test(`JSON ${JSON.stringify(content)}`, async (t) => {
    t.deepEqual((await seen(t, 'application/json', content)).body, value);
  });
}

test('JSON may be deep', async (t) => {
  const content = '['.repeat(2000) + ']'.repeat(2000);
  t.is(JSON.stringify((await seen(t, 'application/json', content)).body), content);
});

for (const line of ['GET /', 'PUT /', 'PATCH /', 'DELETE /']) {
  test(`${line} may have a body`, async (t) => {
    t.deepEqual((await seen(t, 'application/json', '{"a":1}', line)).body, { a: 1 });
  });
}

for (const type of [
  'application/json',
  'text/plain',
  'application/x-www-form-urlencoded',
  undefined,
]) {
  for (const [how, headers, bytes] of [
    ['no length', {}, ''],
    ['Content-Length: 0', { 'content-length': 0 }, ''],
    ['no chunks', { 'transfer-encoding': 'chunked' }, '0\r\n\r\n'],
  ]) {
    test(`no body (${how}) as ${type} is undefined`, async (t) => {
      const server = await serve(t, ROUTES);
      const client = await connect(t, server);
      client.send(
        requestBytes('POST /', { ...headers, ...(type && { 'content-type': type }) }),
        bytes,
      );
      t.deepEqual((await client.response()).json, { type: 'undefined', bytes: 0 });
    });
  }
}

test('an empty multipart body is undefined', async (t) => {
  const type = 'multipart/form-data; boundary=b';
  t.is((await seen(t, type, '')).type, 'undefined');
});

const PROTO = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}';

test('__proto__ in JSON is a property of its own and changes no other object', async (t) => {
  const server = await serve(t, {
    '/': {
      post: ({ body }) =>
        json({
          own: Object.hasOwn(body, '__proto__'),
          inherited: Object.getPrototypeOf(body) === Object.prototype,
          polluted: {}.polluted ?? null,
        }),
    },
  });
  const response = await request(
    t,
    server,
    'POST /',
    { 'content-type': 'application/json' },
    PROTO,
  );
  t.deepEqual(response.json, { own: true, inherited: true, polluted: null });
});

const JSON_ERRORS = [
  ['{"a":1,}', 1, 8],
  ['{"a":\n  tru}', 2, 6],
  ['{\n\n  "a" 1}', 3, 7],
  ['[1,2', 1, 4],
  ['{"a":"b', 1, 7],
  ["{'a':1}", 1, 2],
  ['{"a":1} x', 1, 9],
  [`${'['.repeat(300)}x`, 1, 301],
];

for (const [content, line, column] of JSON_ERRORS) {
  test(`malformed JSON is 400 with what and where: ${JSON.stringify(content.slice(-20))}`, async (t) => {
    const server = await serve(t, ROUTES);
    const client = await connect(t, server);
    const headers = { 'content-type': 'application/json' };
    client.send(requestBytes('POST /?malformed-json', headers, content));
    const { status, json, field } = await client.response();
    t.is(status, 400);
    t.is(field('content-type'), 'application/json');
    t.is(json.error, 'Bad Request');
    t.is(json.code, 'WAPIX_INVALID_JSON');
    t.regex(json.message, new RegExp(`\\bline ${line}, column ${column}\\b`));
    client.send(requestBytes('POST /', headers, '[]'));
    t.deepEqual((await client.response()).json.body, [], 'the connection is still good');
    t.deepEqual(errorsNaming('malformed-json'), [], "a client's mistake is not logged");
  });
}

const FORMS = [
  ['a=1&b=2', { a: '1', b: '2' }],
  ['a=1&a=2&a=3', { a: ['1', '2', '3'] }],
  ['a=&b', { a: '', b: '' }],
  ['a+b=c+d', { 'a b': 'c d' }],
  ['a=%2B%26%3D%25', { a: '+&=%' }],
  ['%C3%BC=%F0%9F%A6%80', { ü: '🦀' }],
  ['a=b=c', { a: 'b=c' }],
  ['a=1&&b=2&', { a: '1', b: '2' }],
  ['a[b]=1&c[]=2', { 'a[b]': '1', 'c[]': '2' }],
  ['a=1\r\n', { a: '1\r\n' }],
];

for (const [content, expected] of FORMS) {
  test(`a form: ${JSON.stringify(content)}`, async (t) => {
    const type = 'Application/X-WWW-Form-URLEncoded; charset=utf-8';
    t.deepEqual((await seen(t, type, content)).body, expected);
  });
}

test('a form has no prototype, and __proto__ is a name like any other', async (t) => {
  const server = await serve(t, {
    '/': {
      post: ({ body }) => json([Object.getPrototypeOf(body) === null, Object.entries(body)]),
    },
  });
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const content = '__proto__=1&constructor=2&__proto__=3';
  t.deepEqual((await request(t, server, 'POST /', headers, content)).json, [
    true,
    [
      ['__proto__', ['1', '3']],
      ['constructor', '2'],
    ],
  ]);
});

test('a form may have thousands of names', async (t) => {
  const content = Array.from({ length: 5000 }, (_, index) => `k${index}=${index}`).join('&');
  const { body } = await seen(t, 'application/x-www-form-urlencoded', content);
  t.is(Object.keys(body).length, 5000);
});

for (const [content, shown] of [
  ['a=1&b=%zz', '%zz'],
  ['a=%', '%'],
  ['%4=1', '%4='],
]) {
  test(`a malformed form is 400 with what and where: ${content}`, async (t) => {
    const server = await serve(t, ROUTES);
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const { status, json } = await request(t, server, 'POST /', headers, content);
    t.is(status, 400);
    t.is(json.code, 'WAPIX_INVALID_FORM');
    t.true(json.message.includes(shown), json.message);
    t.true(json.message.includes(String(content.indexOf('%'))), json.message);
  });
}

for (const type of [
  'text/plain',
  'text/plain; charset=utf-8',
  'application/xml',
  'a/b',
  undefined,
]) {
  test(`${type} is the raw string`, async (t) => {
    t.is((await seen(t, type, 'é🦀\n{"a":1}')).body, 'é🦀\n{"a":1}');
  });
}

test('bytes that are no text: body is a string, rawBody the bytes', async (t) => {
  const server = await serve(t, {
    '/': { post: ({ body, rawBody }) => json([typeof body, rawBody.toString('hex')]) },
  });
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const headers = { 'content-type': 'application/octet-stream' };
  const response = await request(t, server, 'POST /', headers, bytes);
  t.deepEqual(response.json, ['string', bytes.toString('hex')]);
});
