// Which host a request is for: what names none is refused before a handler runs.

import { text as textOf } from 'node:stream/consumers';
import test from 'ava';
import { text } from 'wapix';
import { connect, requestBytes } from './helpers/client.mjs';
import { once } from './helpers/events.mjs';
import { frame, GET, PREFACE, SETTINGS, session } from './helpers/http2.mjs';
import { serve } from './helpers/server.mjs';

async function serveCounted(t, options) {
  const ran = [];
  const get = ({ url }) => {
    ran.push(url);
    return text('ran');
  };
  return { server: await serve(t, { '/': { get } }, options), ran };
}

for (const host of [
  'a b',
  'a/b',
  'a?b',
  'a#b',
  'a@b',
  '[::1',
  'a:b',
  'a:80:80',
  'a%zz',
  'a\\b',
  '<a>',
  '"a"',
  'http://a',
]) {
  test(`a Host that is none is 400 (RFC 9112, 3.2): ${host}`, async (t) => {
    const { server, ran } = await serveCounted(t);
    const client = await connect(t, server);
    client.send(requestBytes('GET /', { host }));
    t.is((await client.response()).status, 400);
    t.deepEqual(ran, []);
  });
}

for (const target of ['://test/', '1http://test/', 'http://test:port/', 'http://test:99999/']) {
  test(`a target in absolute form that is no URI is 400 (RFC 9112, 3.2): ${target}`, async (t) => {
    const { server, ran } = await serveCounted(t);
    const client = await connect(t, server);
    client.send(requestBytes(`GET ${target}`));
    t.is((await client.response()).status, 400);
    t.deepEqual(ran, []);
  });
}

for (const host of ['', 'a', 'A.b-c_d', 'a:', 'a:80', '127.0.0.1:65535', '[::1]', '[::1]:8080']) {
  test(`a Host that is one is accepted: ${JSON.stringify(host)}`, async (t) => {
    const { server, ran } = await serveCounted(t);
    const client = await connect(t, server);
    client.send(requestBytes('GET /', { host }));
    t.is((await client.response()).status, 200);
    client.send(requestBytes(`GET http://${host || 'test'}/`, { host }));
    t.is((await client.response()).status, 200);
    t.deepEqual(ran.length, 2);
  });
}

test('the host of a target in absolute form is the host, whatever Host says (RFC 9112, 3.2.2)', async (t) => {
  const server = await serve(t, { '/': { get: ({ headers }) => text(headers.host) } });
  const client = await connect(t, server);
  client.send(requestBytes('GET http://a:80/', { host: 'b' }));
  t.is((await client.response()).text, 'a:80');
  client.send(requestBytes('GET http://a/', { host: ['a', 'b'] }));
  t.is((await client.response()).status, 400);
});

for (const [hosts, status, host] of [
  [{ ':authority': 'a:80' }, 200, 'a:80'],
  [{ ':authority': 'a', host: 'A' }, 200, 'a'],
  // A client that has it from HTTP/1.1.
  [{ host: 'b' }, 200, 'b'],
  [{ ':authority': 'a', host: 'b' }, 400],
]) {
  test(`HTTP/2: ${JSON.stringify(hosts)} is ${status} (RFC 9113, 8.3.1)`, async (t) => {
    const server = await serve(t, { '/': { get: ({ headers }) => text(headers.host) } });
    const client = await session(t, server);
    const sent = client.request({ ':path': '/', ...hosts });
    const [[head], content] = await Promise.all([once(sent, 'response'), textOf(sent)]);
    t.is(head[':status'], status);
    if (host !== undefined) t.is(content, host);
  });
}

test('HTTP/2: a request that names no host is 400 (RFC 9113, 8.3.1)', async (t) => {
  const { server, ran } = await serveCounted(t);
  const client = await connect(t, server);
  // All of it but `:authority`.
  client.send(PREFACE, SETTINGS, frame(1, 5, 1, GET.subarray(0, 3)));
  await client.through('Bad Request');
  t.deepEqual(ran, []);
});
