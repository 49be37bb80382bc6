// Files that cannot be read to the end that was promised: the response does not look complete.

import { pbkdf2 } from 'node:crypto';
import { createReadStream, truncateSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { constants } from 'node:http2';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { json, stream } from 'wapix';
import { CERT, KEY } from './helpers/certificate.mjs';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { closed, levelled, once, until } from './helpers/events.mjs';
import { someFiles } from './helpers/files.mjs';
import { session } from './helpers/http2.mjs';
import { heldByKernel } from './helpers/kernel.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';
import { serve } from './helpers/server.mjs';

const hash = promisify(pbkdf2);

captureErrors();

const { folder, content, path, empty } = someFiles(test);
const size = content.length;

const DECLARED = { 'Content-Length': 2 ** 25 };
for (const [name, { headers = {}, left = size, tls = false }] of [
  ['in chunks', {}],
  ['with Content-Length', { headers: DECLARED }],
  ['beyond what was sent', { left: 2 ** 24 }],
  ['over TLS', { tls: true }],
  ['over TLS beyond what was sent', { tls: true, left: 2 ** 24 }],
  ['over TLS with Content-Length', { tls: true, headers: DECLARED }],
]) {
  test(`a file that is cut off while it is sent, ${name}, does not look complete`, async (t) => {
    // Elsewhere nobody tells how much the kernel holds.
    if (process.platform !== 'linux') return t.pass();
    const target = `/cut-off-${name.replaceAll(' ', '-')}`;
    const big = join(folder, target);
    await writeFile(big, content);
    truncateSync(big, 2 ** 25);
    const file = createReadStream(big);
    const server = await serve(
      t,
      {
        [target]: { get: () => stream(file, undefined, headers) },
        '/other': { get: () => json('other') },
      },
      tls ? { https: { key: KEY, cert: CERT } } : {},
    );
    const client = await connect(t, server, { tls });
    client.send(requestBytes(`GET ${target}`));
    await client.head();
    client.stall();
    const { port } = server.address();
    const beside = await connect(t, server, { tls });
    const other = () => beside.send(requestBytes('GET /other')).response();
    await levelled(() => heldByKernel(port), other);
    truncateSync(big, left);
    client.resume();
    await client.ended();
    await closed(file);
    t.false(client.bytes.subarray(-7).includes('0\r\n\r\n'));
    const logged = errorsNaming(`GET ${target} `);
    t.is(logged.length, 1);
    t.regex(logged[0], /ENODATA/);
  });
}

for (const [name, { headers = {}, left = size, scheme = 'http' }] of [
  ['with no length', {}],
  ['with Content-Length', { headers: DECLARED }],
  ['beyond what was sent', { left: 2 ** 24 }],
  ['over TLS', { scheme: 'https' }],
]) {
  test(`a file that is cut off while it is sent over HTTP/2, ${name}, is a reset`, async (t) => {
    const target = `/reset-${name.replaceAll(' ', '-')}`;
    const big = join(folder, target);
    await writeFile(big, content);
    truncateSync(big, 2 ** 25);
    const file = createReadStream(big);
    const server = await serve(
      t,
      { [target]: { get: () => stream(file, undefined, headers) } },
      scheme === 'https' ? { https: { key: KEY, cert: CERT } } : {},
    );
    const client = await session(t, server, scheme);
    // Nobody reads it: its window, far smaller than the file, fills.
    const sent = client.request({ ':path': target });
    sent.on('error', () => {});
    await once(sent, 'response');
    truncateSync(big, left);
    const over = once(sent, 'close').catch(() => {});
    sent.resume();
    await over;
    t.is(sent.rstCode, constants.NGHTTP2_INTERNAL_ERROR);
    await closed(file);
    const logged = errorsNaming(`GET ${target} `);
    t.is(logged.length, 1);
    t.regex(logged[0], /ENODATA/);
    t.false(client.closed, 'the connection goes on');
  });
}

test('destroyed by its owner: the response does not look complete', async (t) => {
  const big = join(folder, 'destroyed');
  await writeFile(big, '');
  truncateSync(big, 2 ** 28);
  for (const [target, error, expected] of [
    ['/without', undefined, /WAPIX_STREAM_PREMATURE_CLOSE/],
    ['/with', new Error('the owner said so'), /the owner said so/],
  ]) {
    const file = createReadStream(big);
    const server = await serve(t, { [target]: { get: () => stream(file) } });
    const client = await connect(t, server);
    client.send(requestBytes(`GET ${target}`));
    await client.head();
    file.destroy(error);
    await client.ended();
    t.false(client.bytes.subarray(-7).includes('0\r\n\r\n'));
    t.is(errorsNaming(`GET ${target} `).length, 1);
    t.regex(errorsNaming(`GET ${target} `)[0], expected);
  }
});

for (const [name, declared] of [
  ['shorter than', size + 1],
  ['longer than', size - 1],
]) {
  test(`${name} its Content-Length: incomplete, logged`, async (t) => {
    const target = `/${name.slice(0, 5)}`;
    const file = createReadStream(path);
    const get = () => stream(file, 'text/plain', { 'Content-Length': declared });
    const server = await serve(t, { [target]: { get } });
    const response = await request(t, server, `GET ${target}`);
    t.false(response.complete);
    t.true(content.subarray(0, response.body.length).equals(response.body));
    await closed(file);
    const [logged] = errorsNaming(`GET ${target} `);
    t.regex(logged, /WAPIX_CONTENT_LENGTH_MISMATCH/);
    t.regex(logged, new RegExp(`Content-Length is ${declared}`));
  });
}

test('an empty file that is declared not to be, and the reverse: 500, logged', async (t) => {
  const server = await serve(t, {
    '/emptied': {
      get: () => stream(createReadStream(empty), 'text/plain', { 'Content-Length': 5 }),
    },
    '/filled': { get: () => stream(createReadStream(path), 'text/plain', { 'Content-Length': 0 }) },
  });
  for (const target of ['/emptied', '/filled']) {
    t.is((await request(t, server, `GET ${target}`)).status, 500, target);
    await until(() => errorsNaming(`GET ${target} `).length > 0, 'it was logged');
    t.regex(errorsNaming(`GET ${target} `)[0], /WAPIX_CONTENT_LENGTH_MISMATCH/);
  }
});

test('what cannot be read is 500, however long it takes to find out', async (t) => {
  const server = await serve(t, {
    '/missing': { get: () => stream(createReadStream(join(folder, 'missing'))) },
    '/of-a-folder': { get: () => stream(createReadStream(folder)) },
    '/events': { get: () => stream(createReadStream(join(folder, 'no')), 'text/event-stream') },
  });
  for (const [target, code] of [
    ['/missing', /ENOENT/],
    ['/events', /ENOENT/],
    ['/of-a-folder', /EISDIR/],
  ]) {
    // Node has four threads for this and for files, in the order in which they were asked.
    const busy = Array.from({ length: 8 }, () => hash('password', 'salt', 200_000, 64, 'sha512'));
    t.is((await request(t, server, `GET ${target}`)).status, 500, target);
    t.regex(errorsNaming(`GET ${target} `)[0], code);
    await Promise.all(busy);
  }
});

test('what cannot be read is 500, and its stream tells of it', async (t) => {
  const server = await serve(t, {
    '/folder': { get: () => stream(createReadStream(folder)) },
    '/memory': {
      get: () => {
        const file = createReadStream('/proc/self/mem');
        file.on('error', (error) => errors.push(error));
        return stream(file);
      },
    },
  });
  const errors = [];
  t.is((await request(t, server, 'GET /folder')).status, 500);
  t.regex(errorsNaming('GET /folder ')[0], /EISDIR/);
  if (process.platform !== 'linux') return;
  t.is((await request(t, server, 'GET /memory')).status, 500);
  await until(() => errors.length > 0, 'the stream tells of its error');
  t.is(errorsNaming('GET /memory ').length, errors.length);
  t.like(errors[0], { code: 'EIO', syscall: 'read', path: '/proc/self/mem' });
});
