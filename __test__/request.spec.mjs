import { createServer as createNodeServer, IncomingMessage } from 'node:http';
import { text as readText } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import { inspect } from 'node:util';
import test from 'ava';
import { json, stream, text } from 'wapix';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { once } from './helpers/events.mjs';
import { serve, serveGet } from './helpers/server.mjs';

const entries = (object) => Object.entries(object);

/** What `read` makes of the request that `line` and `headers` are. */
async function seen(t, read, line = 'GET /', headers = {}, body = undefined) {
  const [method] = line.split(' ');
  const handler = (req) => json({ value: read(req) });
  const server = await serve(t, {
    '/': { [method.toLowerCase()]: handler },
    '/a/:b/:c': { [method.toLowerCase()]: handler },
  });
  return (await request(t, server, line, headers, body)).json.value;
}

test('method and url are as the client sent them', async (t) => {
  const read = ({ method, url }) => `${method} ${url}`;
  for (const line of [
    'GET /',
    'GET /?',
    'POST /?a=%20b&c',
    'PUT /a/%41/c/?x',
    'PATCH /',
    'DELETE /a/1/2',
    'OPTIONS /',
    "GET /?q=a'b|{}^`[]",
  ]) {
    t.is(await seen(t, read, line), line, line);
  }
});

test('HEAD on a GET route is HEAD to its handler', async (t) => {
  const server = await serveGet(t, ({ method }) => text('', { 'x-method': method }));
  t.is((await request(t, server, 'HEAD /')).field('x-method'), 'HEAD');
});

test('a request target in absolute form is a path like any other', async (t) => {
  const read = ({ url, params }) => [url, params.b];
  t.deepEqual(await seen(t, read, 'GET http://test/a/1/2?x=y'), ['/a/1/2?x=y', '1']);
});

test('params, query and headers have no prototype, and are computed once', async (t) => {
  const got = await seen(
    t,
    (req) => ({
      bare: [req.params, req.query, req.headers].map((of) => Object.getPrototypeOf(of) === null),
      same: ['params', 'query', 'headers', 'raw', 'signal', 'rawBody'].map((name) => {
        const first = req[name];
        return req[name] === first;
      }),
    }),
    'GET /a/1/2?x=y',
  );
  t.deepEqual(got, { bare: [true, true, true], same: Array(6).fill(true) });
});

test('console.log of a request shows what it is', async (t) => {
  const server = await serve(t, { '/users/:id': { post: (req) => text(inspect({ req })) } });
  const headers = { 'content-type': 'application/json', 'x-a': 'b' };
  const { text: shown } = await request(t, server, 'POST /users/7?q=1', headers, '{"name":"Ada"}');
  t.regex(shown, /req: Request \{/);
  for (const part of ["method: 'POST'", "url: '/users/7?q=1'", "id: '7'", "q: '1'", "'x-a': 'b'"]) {
    t.true(shown.includes(part), shown);
  }
  t.regex(shown, /body: \{ name: 'Ada' \}/);
});

test('request properties survive destructuring and awaits', async (t) => {
  const server = await serve(t, {
    '/:id': {
      post: async ({ params, query, body, headers, method, url, ip }) => {
        await turn();
        return json([params.id, query.q, body, headers['x-a'], method, url, ip]);
      },
    },
  });
  const response = await request(t, server, 'POST /7?q=1', { 'x-a': 'b' }, 'text');
  t.deepEqual(response.json, ['7', '1', 'text', 'b', 'POST', '/7?q=1', '127.0.0.1']);
});

const QUERIES = [
  ['', []],
  ['?', []],
  ['?a=1', [['a', '1']]],
  ['?a', [['a', '']]],
  ['?a=', [['a', '']]],
  ['?=a', [['', 'a']]],
  ['?a=b=c', [['a', 'b=c']]],
  ['?a=1&b=2&a=3', [['a', '3'], ['b', '2']]],
  ['?a=1&&b=2&', [['a', '1'], ['b', '2']]],
  ['?a+b=c+d', [['a b', 'c d']]],
  ['?a%20b=%2B%26%3D', [['a b', '+&=']]],
  ['?%C3%BC=%F0%9F%A6%80', [['ü', '🦀']]],
  ['?a=%zz&b=%', [['a', '%zz'], ['b', '%']]],
  // Bytes of UTF-8 that are not escaped, beside escapes that are not UTF-8.
  ['?%C3\xc4\xbd=1&a=\xe6\x97\xa5%FF', [['\ufffdĽ', '1'], ['a', '日\ufffd']]],
  ['?a=1;b=2', [['a', '1;b=2']]],
  ['?a[]=1&a[b]=2', [['a[]', '1'], ['a[b]', '2']]],
  ['?a=?b?', [['a', '?b?']]],
  ['?__proto__=1', [['__proto__', '1']]],
  ['?__proto__=1&__proto__=2', [['__proto__', '2']]],
  ['?constructor=1&hasOwnProperty=2', [['constructor', '1'], ['hasOwnProperty', '2']]],
  ['?__proto__[polluted]=1', [['__proto__[polluted]', '1']]],
]; // biome-ignore format: a table

for (const [query, expected] of QUERIES) {
  test(`query of ${JSON.stringify(query)}`, async (t) => {
    t.deepEqual(await seen(t, ({ query }) => entries(query), `GET /${query}`), expected);
    t.is({}.polluted, undefined);
  });
}

test('parameters are UTF-8, escaped or raw', async (t) => {
  const server = await serve(t, { '/a/:b/:c': { get: ({ params }) => json(entries(params)) } });
  const client = await connect(t, server);
  for (const path of ['/a/%C3%A9/%F0%9F%A6%80', '/a/é/🦀', '/a/é/%F0%9F%A6%80', '/a/%C3%A9/🦀']) {
    client.send(Buffer.from(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`));
    t.deepEqual(
      (await client.response()).json,
      [
        ['b', 'é'],
        ['c', '🦀'],
      ],
      path,
    );
  }
});

test('a query may have thousands of keys', async (t) => {
  const query = Array.from({ length: 1200 }, (_, index) => `k${index}=${index}`).join('&');
  const got = await seen(t, ({ query }) => entries(query).length, `GET /?${query}`);
  t.is(got, 1200);
});

const HEADER_LINES = [
  'Host: example.org\r\n',
  'X-Once:   spaced \t \r\n',
  'X-Empty:\r\n',
  'X-Many: 1\r\nx-many: 2\r\nX-MANY: 3\r\n',
  'X-Many: 1\r\nX-Between: b\r\nX-Many: 2\r\n',
  'Cookie: a=1\r\nCookie: b=2\r\n',
  'Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n',
  'Set-Cookie: a=1\r\n',
  'Content-Type: text/plain\r\nContent-Type: text/html\r\n',
  'User-Agent: a\r\nUser-Agent: b\r\n',
  'Authorization: a\r\nAuthorization: b\r\n',
  'Accept: a\r\nAccept: b\r\n',
  'X-Latin: caf\xe9\r\nX-Utf8: caf\xc3\xa9\r\n',
  'constructor: b\r\ntoString: c\r\n',
  'Forwarded: for=1\r\nX-Forwarded-For: 1\r\nX-Forwarded-For: 2\r\n',
  "!#$%&'*+-.^_`|~: all\r\n",
];

/** What Node's own server makes of the same bytes. */
async function seenByNode(t, bytes, read) {
  const node = createNodeServer((req, res) => res.end(JSON.stringify(read(req))));
  node.listen(0, '127.0.0.1');
  await once(node, 'listening');
  t.teardown(() => node.close());
  const client = await connect(t, node);
  client.send(bytes);
  const { json } = await client.response();
  client.destroy();
  return json;
}

async function compareWithNode(t, bytes, read, readNode) {
  const server = await serveGet(t, (req) => json(read(req)));
  const client = await connect(t, server);
  client.send(bytes);
  t.deepEqual((await client.response()).json, await seenByNode(t, bytes, readNode));
}

for (const lines of HEADER_LINES) {
  test(`headers are as Node's: ${JSON.stringify(lines)}`, (t) =>
    compareWithNode(
      t,
      `GET / HTTP/1.1\r\n${lines.startsWith('Host') ? '' : 'Host: a\r\n'}${lines}\r\n`,
      ({ headers }) => entries(headers),
      ({ headers }) => entries(headers),
    ));
}

test('headers of a thousand names, in any order, are those of their request', async (t) => {
  const server = await serveGet(t, ({ headers, raw }) =>
    json([entries(headers), raw.rawHeaders.filter((_, index) => index % 2 === 0)]),
  );
  const client = await connect(t, server);
  for (let round = 0; round < 2; round += 1) {
    for (let number = 0; number < 500; number += 1) {
      const own = [`x-${number}`, `x-${number + 1}`, 'x-of-all'];
      if (number % 2) own.reverse();
      const lines = own.map((name, at) => `${name}: ${round}.${number}.${at}\r\n`);
      client.send(`GET / HTTP/1.1\r\nHost: a\r\n${lines.join('')}\r\n`);
      const expected = [
        ['host', 'a'],
        ...own.map((name, at) => [name, `${round}.${number}.${at}`]),
      ];
      const { json: got } = await client.response();
      t.deepEqual(got, [expected, ['host', ...own]]);
    }
  }
});

test('a header named __proto__ is a header', async (t) => {
  const server = await serveGet(t, ({ headers }) => json(entries(headers)));
  const client = await connect(t, server);
  client.send('GET / HTTP/1.1\r\nHost: a\r\n__proto__: b\r\n__Proto__: c\r\n\r\n');
  t.deepEqual((await client.response()).json, [
    ['host', 'a'],
    ['__proto__', 'b, c'],
  ]);
});

test('raw.rawHeaders has every line: names in lower case, in the order in which they came', async (t) => {
  const server = await serveGet(t, ({ raw }) => json(raw.rawHeaders));
  const client = await connect(t, server);
  client.send('GET / HTTP/1.1\r\nHost: a\r\nX-Many: 1\r\nX-Between: b\r\nx-many: 2\r\n\r\n');
  const expected = ['host', 'a', 'x-many', '1', 'x-between', 'b', 'x-many', '2'];
  t.deepEqual((await client.response()).json, expected);
});

test('raw is a Node IncomingMessage of the same request', async (t) => {
  const read = (raw) => ({
    isMessage: raw instanceof IncomingMessage,
    line: [raw.method, raw.url, raw.httpVersion, raw.httpVersionMajor, raw.httpVersionMinor],
    headers: entries(raw.headers),
    distinct: entries(raw.headersDistinct),
    trailers: entries(raw.trailers),
    address: [raw.socket.remoteAddress, raw.socket.remoteFamily, typeof raw.socket.remotePort],
    connection: raw.connection === raw.socket,
    state: [raw.aborted, raw.destroyed, raw.readableEnded, raw.readable],
    status: [raw.statusCode, raw.statusMessage],
    encrypted: Boolean(raw.socket.encrypted),
  });
  await compareWithNode(
    t,
    'GET /?q=1 HTTP/1.1\r\nhost: a\r\nx-a: b\r\nx-a: c\r\n\r\n',
    ({ raw }) => read(raw),
    read,
  );
});

test('raw tells HTTP/1.0 and the client port', async (t) => {
  const server = await serveGet(t, ({ raw }) => json([raw.httpVersion, raw.socket.remotePort]));
  const client = await connect(t, server);
  client.send('GET / HTTP/1.0\r\n\r\n');
  t.deepEqual((await client.response()).json, ['1.0', client.socket.localPort]);
});

for (const [name, readBody] of [
  ['with for await', readText],
  ['with events', collect],
  [
    'later',
    async (raw) => {
      await turn();
      return collect(raw);
    },
  ],
]) {
  test(`raw is readable ${name}: the body as bytes`, async (t) => {
    const server = await serve(t, {
      '/': {
        post: async ({ raw, body }) =>
          json({ raw: await readBody(raw), body, ended: raw.complete }),
      },
    });
    const content = 'é'.repeat(20_000);
    const response = await request(t, server, 'POST /', { 'content-type': 'text/plain' }, content);
    t.deepEqual(response.json, { raw: content, body: content, ended: true });
  });
}

async function collect(raw) {
  const chunks = [];
  raw.on('data', (chunk) => chunks.push(chunk));
  await once(raw, 'end');
  return Buffer.concat(chunks).toString();
}

test('raw without a body ends', async (t) => {
  const server = await serveGet(t, async ({ raw }) => json(await readText(raw)));
  t.is((await request(t, server, 'GET /')).json, '');
});

test('rawBody keeps its bytes while other requests come', async (t) => {
  const held = [];
  const server = await serve(t, {
    '/': {
      post: ({ rawBody }) => {
        held.push(rawBody);
        return text('');
      },
    },
  });
  const client = await connect(t, server);
  const bodies = Array.from({ length: 100 }, (_, index) => Buffer.alloc(1 + index * 300, index));
  for (const body of bodies) {
    client.send(requestBytes('POST /', {}, body));
    await client.response();
  }
  t.true(held.every(Buffer.isBuffer));
  t.true(held.every((body, index) => body.equals(bodies[index])));
});

test('rawBody is empty without a body', async (t) => {
  t.deepEqual(await seen(t, ({ rawBody }) => [Buffer.isBuffer(rawBody), rawBody.length]), [
    true,
    0,
  ]);
});

test('ip is IPv4 on a socket that takes both', async (t) => {
  const server = await serve(t, { '/': { get: ({ ip }) => text(ip) } }, {}, { port: 0 });
  const { port } = server.address();
  const client = await connect(t, server, { host: '127.0.0.1', port });
  client.send(requestBytes('GET /'));
  t.is((await client.response()).text, '127.0.0.1');
});

test("ip is the connection's, whatever X-Forwarded-For says", async (t) => {
  const headers = { 'x-forwarded-for': '10.0.0.1', forwarded: 'for=10.0.0.1' };
  t.is(await seen(t, ({ ip }) => ip, 'GET /', headers), '127.0.0.1');
});

test('concurrent requests never see each other', async (t) => {
  const server = await serve(t, {
    '/:id': {
      post: async (req) => {
        // Half of the properties are read first after other requests have come.
        const early = [req.params.id, req.body.id, req.headers['x-id']];
        for (let turns = Number(req.params.id) % 5; turns > 0; turns -= 1) await turn();
        return json([...early, req.query.id, req.raw.headers['x-id'], req.rawBody.toString()]);
      },
    },
  });
  const ids = Array.from({ length: 200 }, (_, index) => String(index));
  const clients = await Promise.all(ids.map(() => connect(t, server)));
  for (let round = 0; round < 3; round += 1) {
    for (const [index, id] of ids.entries()) {
      const body = JSON.stringify({ id, pad: 'p'.repeat((index * 131) % 20_000) });
      const headers = { 'content-type': 'application/json', 'x-id': id };
      clients[index].send(requestBytes(`POST /${id}?id=${id}`, headers, body));
    }
    for (const [index, id] of ids.entries()) {
      const got = (await clients[index].response()).json;
      const raw = JSON.parse(got.pop());
      t.deepEqual([...got, raw.id], Array(6).fill(id));
    }
  }
});

test('a request can be read while its response streams', async (t) => {
  const server = await serve(t, {
    '/a/:id/:name': {
      get: (req) =>
        stream(
          (async function* () {
            // The first chunk is asked for when the request has long left its batch.
            await turn();
            const { params, query, url, ip, headers } = req;
            yield JSON.stringify([params, query, url, ip, headers['x-a'], req.raw.url]);
          })(),
        ),
    },
  });
  // Several at once, so that they share a batch.
  const answers = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const path = `/a/a-rather-long-identifier-${index}/%C3%A9${index}?q=${index}`;
      const answer = await request(t, server, `GET ${path}`, { 'X-A': `header ${index}` });
      return [answer, index, path];
    }),
  );
  for (const [answer, index, path] of answers) {
    t.deepEqual(JSON.parse(answer.text), [
      { id: `a-rather-long-identifier-${index}`, name: `é${index}` },
      { q: String(index) },
      path,
      '127.0.0.1',
      `header ${index}`,
      path,
    ]);
  }
});
