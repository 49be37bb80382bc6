// Which host a request is for: what names none is refused before a handler runs.

import test from 'ava';
import { text } from 'wapix';
import { connect, requestBytes } from './helpers/client.mjs';
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
