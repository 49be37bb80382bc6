// Behind a proxy: whose word is taken for the client's address, and ports that processes share.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { createServer, json, text } from 'wapix';
import { CERT, KEY } from './helpers/certificate.mjs';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { once } from './helpers/events.mjs';
import { lastingPort, serve, serveGet, stop } from './helpers/server.mjs';

const who = ({ ip, protocol, raw }) => json([ip, protocol, raw.socket.remoteAddress]);

const LOOPBACK = 'loopback';
for (const [trustProxy, forwarded, ip] of [
  // Nobody is believed who was not named.
  [undefined, '192.0.2.1', '127.0.0.1'],
  [false, '192.0.2.1', '127.0.0.1'],
  ['10.0.0.0/8', '192.0.2.1', '127.0.0.1'],
  [[], '192.0.2.1', '127.0.0.1'],
  // The last that is no proxy: what stands before it, anybody can have written.
  [LOOPBACK, '192.0.2.1', '192.0.2.1'],
  [LOOPBACK, '198.51.100.7, 192.0.2.1', '192.0.2.1'],
  ['127.0.0.1', '198.51.100.7, 192.0.2.1', '192.0.2.1'],
  [[LOOPBACK, '10.0.0.0/8'], '198.51.100.7, 192.0.2.1,10.1.2.3 ,10.0.0.1', '192.0.2.1'],
  [[LOOPBACK, '10.0.0.0/8'], '10.1.2.3', '10.1.2.3'],
  [['127.0.0.0/8', '2001:db8::/32'], '2001:db9::1, 2001:db8::5', '2001:db9::1'],
  // All of its addresses are this machine's.
  [LOOPBACK, '192.0.2.1, ::1, 127.3.2.1', '192.0.2.1'],
  [true, '198.51.100.7, 192.0.2.1', '198.51.100.7'],
  // As some proxies write it.
  [LOOPBACK, '192.0.2.1:4711', '192.0.2.1'],
  [LOOPBACK, '[2001:db8::1]:4711', '2001:db8::1'],
  [LOOPBACK, '[2001:db8::1]', '2001:db8::1'],
  // What is no address says nothing.
  [LOOPBACK, undefined, '127.0.0.1'],
  [LOOPBACK, '', '127.0.0.1'],
  [LOOPBACK, '192.0.2.1, unknown', '127.0.0.1'],
  [true, 'unknown, 192.0.2.1', '192.0.2.1'],
]) {
  test(`trustProxy ${JSON.stringify(trustProxy)}, X-Forwarded-For: ${forwarded}`, async (t) => {
    const server = await serveGet(t, who, { trustProxy });
    const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
    const { json } = await request(t, server, 'GET /', headers);
    t.deepEqual(json, [ip, 'http', '127.0.0.1']);
  });
}

test('X-Forwarded-For in several lines is one list', async (t) => {
  const server = await serveGet(t, who, { trustProxy: LOOPBACK });
  const client = await connect(t, server);
  client.send(requestBytes('GET /', { 'x-forwarded-for': ['198.51.100.7', '192.0.2.1'] }));
  t.is((await client.response()).json[0], '192.0.2.1');
});

for (const [trustProxy, said, encrypted, protocol] of [
  [undefined, 'https', false, 'http'],
  [LOOPBACK, 'https', false, 'https'],
  [LOOPBACK, 'HTTPS', false, 'https'],
  [LOOPBACK, 'https, http', false, 'http'],
  [LOOPBACK, 'gopher', false, 'http'],
  [LOOPBACK, 'http', true, 'http'],
  [undefined, 'http', true, 'https'],
]) {
  const over = encrypted ? ' over TLS' : '';
  test(`trustProxy ${trustProxy}, X-Forwarded-Proto: ${said}${over}`, async (t) => {
    const https = encrypted ? { https: { key: KEY, cert: CERT } } : {};
    const server = await serveGet(t, who, { trustProxy, ...https });
    const client = await connect(t, server, { tls: encrypted });
    client.send(requestBytes('GET /', { 'x-forwarded-proto': said }));
    t.is((await client.response()).json[1], protocol);
  });
}

test('a proxy at a Unix socket is of this machine', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'wapix-proxy-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  for (const [trustProxy, ip] of [
    [LOOPBACK, '192.0.2.1'],
    ['10.0.0.0/8', ''],
  ]) {
    const path = join(folder, 'socket');
    const server = await serve(t, { '/': { get: who } }, { trustProxy }, { path });
    const { json } = await request(t, server, 'GET /', { 'x-forwarded-for': '192.0.2.1' });
    t.is(json[0], ip);
    await stop(server);
  }
});

for (const wrong of ['localhost', '10.0.0.0/33', '10.0.0.0/', '::/129', '10.0.0.0/8/8', '', 7]) {
  test(`trustProxy ${JSON.stringify(wrong)} is an error that names it`, (t) => {
    const error = t.throws(() => createServer({}, { trustProxy: [wrong] }));
    t.is(error.code, 'WAPIX_INVALID_OPTION');
    t.true(error.message.includes(JSON.stringify(wrong)));
  });
}

const [shares, refuses] = process.platform === 'linux' ? [test, () => {}] : [() => {}, test];

refuses('reusePort: ENOTSUP where the system does not share connections out', async (t) => {
  const server = createServer({});
  server.listen({ port: 0, host: '127.0.0.1', reusePort: true });
  const [error] = await once(server, 'error');
  t.is(error.code, 'ENOTSUP');
  t.regex(error.message, /^listen ENOTSUP: operation not supported on socket/);
  t.false(server.listening);
});

shares(
  'reusePort: two servers on one port, and a third that did not ask for it is refused',
  async (t) => {
    const where = { port: lastingPort(), host: '127.0.0.1' };
    const names = ['one', 'two'];
    const servers = [];
    for (const name of names) {
      const get = () => text(name);
      servers.push(await serve(t, { '/': { get } }, {}, { ...where, reusePort: true }));
    }
    const third = createServer({});
    third.listen(where);
    t.is((await once(third, 'error'))[0].code, 'EADDRINUSE');
    const heard = new Set();
    while (heard.size < 2) heard.add((await request(t, servers[0], 'GET /')).text);
    await stop(servers[0]);
    t.is((await request(t, servers[1], 'GET /')).text, 'two');
  },
);
