// A client that sends the same header section with every request: it crosses to JavaScript once, and every request
// has an object of its own all the same.

import test from 'ava';
import { json } from 'wapix';
import { connect, request } from './helpers/client.mjs';
import { serve } from './helpers/server.mjs';

const head = (line, ...fields) => `${[line, 'Host: a', ...fields].join('\r\n')}\r\n\r\n`;
const get = (...fields) => head('GET /a HTTP/1.1', ...fields);

/** What the handler says of each of these requests, sent one after the other's answer. */
async function inTurn(client, requests) {
  const answers = [];
  for (const request of requests) {
    client.send(request);
    const { body } = await client.response();
    answers.push(JSON.parse(body));
  }
  return answers;
}

test('a handler may change its headers: the next request has what its client sent', async (t) => {
  const change = ({ headers }) => {
    const shown = JSON.stringify(headers);
    headers['x-user'] = 'of this request';
    headers.authorization = 'changed';
    delete headers['x-a'];
    headers['set-cookie']?.push('of this request');
    return json({ shown, prototype: Object.getPrototypeOf(headers) });
  };
  const server = await serve(t, { '/a': { get: change } });
  const fields = ['Authorization: Bearer 1', 'X-A: b', '__proto__: c', '1: d'];
  for (const more of [[], ['Set-Cookie: e=1', 'Set-Cookie: f=2', 'x-a: g']]) {
    const client = await connect(t, server);
    const [first, ...others] = await inTurn(client, Array(5).fill(get(...fields, ...more)));
    const headers = JSON.parse(first.shown);
    t.is(headers.authorization, 'Bearer 1');
    t.is(headers['x-a'], more.length > 0 ? 'b, g' : 'b');
    t.is(Object.getOwnPropertyDescriptor(headers, '__proto__').value, 'c');
    t.is(first.prototype, null);
    for (const other of others) t.deepEqual(other, first);
  }
});

test('names as they were sent are in raw.rawHeaders each time', async (t) => {
  const raw = (req) => json({ raw: req.raw.rawHeaders, joined: req.raw.headers });
  const server = await serve(t, { '/a': { get: raw } });
  const request = get('X-A: b', 'X-A: c');
  const client = await connect(t, server);
  const [first, ...others] = await inTurn(client, Array(4).fill(request));
  t.is(first.joined['x-a'], 'b, c');
  for (const other of others) t.deepEqual(other, first);
});

test('a section that is not quite the last one is read as what it is', async (t) => {
  const server = await serve(t, { '/a': { get: ({ headers }) => json(headers) } });
  const client = await connect(t, server);
  const values = [
    'b',
    'b',
    'b',
    'c',
    'b',
    'bb',
    'b',
    'b',
    'b',
    undefined,
    'b',
    'b',
    'b',
    ' b',
    'B',
  ];
  const requests = values.map((value) => (value === undefined ? get() : get(`X-A: ${value}`)));
  const answers = await inTurn(client, requests);
  t.deepEqual(
    answers.map((headers) => headers['x-a']),
    values.map((value) => value?.trim()),
  );
});

test('a body is of its own request, however often its header section was sent', async (t) => {
  const server = await serve(t, { '/a': { post: ({ rawBody }) => json(rawBody.toString()) } });
  const client = await connect(t, server);
  const post = (body) =>
    head('POST /a HTTP/1.1', 'Content-Type: text/plain', `Content-Length: ${body.length}`) + body;
  const bodies = ['one', 'two', 'six', 'ten', 'four', 'GET', '', '', '', 'end'];
  t.deepEqual(await inTurn(client, bodies.map(post)), bodies);
  // The body of the last one is still on its way.
  client.send(post('six'), post('ten'), post('and').slice(0, -1));
  const before = [await client.response(), await client.response()];
  t.deepEqual(
    before.map(({ body }) => JSON.parse(body)),
    ['six', 'ten'],
  );
  client.send('d');
  t.is(JSON.parse((await client.response()).body), 'and');
});

test('limits hold for a target in front of a section that was sent before', async (t) => {
  const request = (length) =>
    head(`GET /${'b'.repeat(length - 1)} HTTP/1.1`, `X-A: ${'a'.repeat(1000)}`);
  const routes = { '/:a': { get: ({ url }) => json(url.length) } };
  const limits = { 414: { maxUrlLength: 40 }, 431: { maxHeaderSize: request(40).length } };
  for (const [status, options] of Object.entries(limits)) {
    const server = await serve(t, routes, options);
    const client = await connect(t, server);
    t.deepEqual(await inTurn(client, [2, 2, 2, 3, 40].map(request)), [2, 2, 2, 3, 40]);
    client.send(request(41));
    t.is((await client.response()).status, Number(status));
  }
});

test('more clients than JavaScript keeps header sections of, in turn, each have their own', async (t) => {
  const server = await serve(t, { '/a': { get: ({ headers }) => json(headers.authorization) } });
  const clients = await Promise.all(Array.from({ length: 600 }, () => connect(t, server)));
  for (let round = 0; round < 6; round++) {
    // Some are there in every round, and some in every other one.
    const present = clients.map((_, at) => at).filter((at) => at % 3 > 0 || round % 2 > 0);
    for (const at of present) clients[at].send(get(`Authorization: Bearer ${at}`));
    const answers = await Promise.all(present.map((at) => clients[at].response()));
    t.deepEqual(
      answers.map(({ body }) => JSON.parse(body)),
      present.map((at) => `Bearer ${at}`),
    );
  }
});

test('values of any length are whole, and so is what follows them', async (t) => {
  const get = ({ headers }) => json(['x-a', 'x-b'].map((name) => headers[name]));
  const server = await serve(t, { '/': { get } }, { maxHeaderSize: 2 ** 19 });
  for (const length of [254, 255, 256, 65_535, 65_536, 200_000]) {
    const values = ['a'.repeat(length), 'b'];
    const headers = { 'x-a': values[0], 'x-b': values[1] };
    t.deepEqual((await request(t, server, 'GET /', headers)).json, values);
  }
});
