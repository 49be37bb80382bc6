// `stream(createReadStream(path))`: a file nobody else reads is read by Rust, and nobody can tell.

import fs, {
  createReadStream,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
} from 'node:fs';
import { open, writeFile } from 'node:fs/promises';
import { connect as connectHttp2 } from 'node:http2';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import test from 'ava';
import { createServer, json, stream } from 'wapix';
import { CERT, KEY } from './helpers/certificate.mjs';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { closed, once, until } from './helpers/events.mjs';
import { someFiles } from './helpers/files.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';
import { fieldOf, readChunks } from './helpers/message.mjs';
import { originOf, serve, serveGet } from './helpers/server.mjs';

captureErrors();

const { folder, content, path, empty } = someFiles(test);
const size = content.length;

for (const [name, options, expected] of [
  ['whole', {}, content],
  ['from a start', { start: 1_000_001 }, content.subarray(1_000_001)],
  ['up to an end', { end: 65_536 }, content.subarray(0, 65_537)],
  ['a range', { start: 65_535, end: 200_000 }, content.subarray(65_535, 200_001)],
  ['one byte', { start: 7, end: 7 }, content.subarray(7, 8)],
  ['a range beyond its end', { start: size - 10, end: size + 10 }, content.subarray(size - 10)],
  ['from beyond its end', { start: size + 10 }, Buffer.alloc(0)],
  ['as text', { encoding: 'utf8' }, content],
]) {
  for (const declared of [false, true]) {
    test(`a file, ${name}${declared ? ', with Content-Length' : ''}`, async (t) => {
      const headers = declared ? { 'Content-Length': expected.length } : {};
      let file;
      const server = await serveGet(t, () => {
        file = createReadStream(path, options);
        return stream(file, 'text/plain', headers);
      });
      const client = await connect(t, server);
      for (let turn = 0; turn < 2; turn += 1) {
        client.send(requestBytes('GET /'));
        const response = await client.response();
        t.true(response.complete);
        t.true(response.body.equals(expected));
        await closed(file);
        t.is(file.bytesRead, expected.length);
      }
    });
  }
}

test('an empty file is an empty response', async (t) => {
  const server = await serveGet(t, () => stream(createReadStream(empty)));
  const response = await request(t, server, 'GET /');
  t.true(response.complete);
  t.is(response.text, '');
});

test('over TLS, to HTTP/1.0, and past four gigabytes', async (t) => {
  const far = 5 * 2 ** 30;
  const sparse = join(folder, 'sparse');
  const handle = await open(sparse, 'w');
  await handle.write('the end', far);
  await handle.close();
  const routes = { '/': { get: () => stream(createReadStream(sparse, { start: far - 3 })) } };
  const expected = '\0\0\0the end';
  const plain = await serve(t, routes);
  const secure = await serve(t, routes, { https: { key: KEY, cert: CERT } });

  const client = await connect(t, secure, { tls: true });
  client.send(requestBytes('GET /'));
  t.is((await client.response()).text, expected);
  const old = await connect(t, plain);
  old.send('GET / HTTP/1.0\r\n\r\n');
  await old.head();
  t.is(await old.ended(), 'end');
  t.is(old.bytes.toString(), expected);
});

const served = { '/': { get: () => stream(createReadStream(path)) } };

test('a file in memory, of whose page cache nobody can tell', async (t) => {
  // Overlays, as of containers, are of that kind, too.
  const memory = '/dev/shm';
  if (!existsSync(memory)) return t.pass();
  const inMemory = mkdtempSync(join(memory, 'wapix-files-'));
  t.teardown(() => rmSync(inMemory, { recursive: true }));
  const file = join(inMemory, 'content');
  await writeFile(file, content);
  const server = await serve(t, {
    '/': { get: () => stream(createReadStream(file)) },
    '/part': { get: () => stream(createReadStream(file, { start: 9, end: size - 9 })) },
  });
  t.true((await request(t, server, 'GET /')).body.equals(content));
  t.true((await request(t, server, 'GET /part')).body.equals(content.subarray(9, size - 8)));
});

for (const [over, where] of [
  ['TCP', undefined],
  ['a Unix socket', { path: join(folder, 'socket') }],
]) {
  test(`requests behind a file, over ${over}, are answered behind it`, async (t) => {
    const routes = { ...served, '/other': { get: () => json('other') } };
    const client = await connect(t, await serve(t, routes, {}, where));
    client.send(Buffer.concat(['/', '/', '/other'].map((target) => requestBytes(`GET ${target}`))));
    for (const expected of [content, content, Buffer.from('"other"')]) {
      const response = await client.response();
      t.true(response.complete);
      t.true(response.body.equals(expected));
    }
  });
}

test('over HTTP/2, and to `inject`', async (t) => {
  const secure = await serve(t, served, { https: { key: KEY, cert: CERT } });
  const session = connectHttp2(originOf(secure, 'https'), { rejectUnauthorized: false });
  t.teardown(() => session.destroy());
  t.true((await buffer(session.request({ ':path': '/' }))).equals(content));
  const injected = await createServer(served).inject('/');
  t.true(Buffer.from(await injected.arrayBuffer()).equals(content));
});

test('its events are those of any file stream, in their order', async (t) => {
  const told = (source) => {
    const events = [];
    for (const event of ['open', 'ready', 'end', 'error', 'close']) {
      source.on(event, () => events.push(event));
    }
    return events;
  };
  const piped = createReadStream(path);
  const expected = told(piped);
  piped.resume();
  await closed(piped);

  const file = createReadStream(path);
  const events = told(file);
  const server = await serveGet(t, () => stream(file));
  await request(t, server, 'GET /');
  await closed(file);
  t.deepEqual(events, expected);
  t.true(file.readableEnded);
  t.is(file.errored, null);
});

for (const [name, leave] of [
  ['FIN', (client) => client.end()],
  ['RST', (client) => client.reset()],
]) {
  test(`a client that leaves with ${name}: the file is closed`, async (t) => {
    const big = join(folder, `big-${name}`);
    await writeFile(big, '');
    truncateSync(big, 2 ** 30);
    const file = createReadStream(big);
    const server = await serveGet(t, () => stream(file));
    const client = await connect(t, server);
    client.send(requestBytes('GET /'));
    await client.head();
    client.stall();
    leave(client);
    await closed(file);
    t.false(file.readableEnded);
    const open = () =>
      fs.readdirSync('/proc/self/fd').filter((fd) => {
        try {
          return fs.readlinkSync(`/proc/self/fd/${fd}`) === big;
        } catch {
          return false;
        }
      });
    if (process.platform === 'linux') {
      await until(() => open().length === 0, 'no descriptor of the file is left');
    }
    t.deepEqual(errorsNaming(big), []);
  });
}

test('a stalled client stops the reading, and gets every byte later', async (t) => {
  const big = join(folder, 'stalled');
  await writeFile(big, content);
  for (let copies = 1; copies < 8; copies += 1) await writeFile(big, content, { flag: 'a' });
  const file = createReadStream(big);
  const server = await serve(t, {
    '/': { get: () => stream(file) },
    '/other': { get: () => stream(Readable.from(['other'])) },
  });
  const client = await connect(t, server);
  client.send(requestBytes('GET /'));
  await client.head();
  client.stall();
  t.is((await request(t, server, 'GET /other')).text, 'other');
  t.false(file.closed);
  client.resume();
  await until(() => client.bytes.subarray(-5).equals(Buffer.from('0\r\n\r\n')), 'the last chunk');
  const { chunks } = readChunks(client.bytes);
  t.true(Buffer.concat(chunks).equals(Buffer.concat(Array(8).fill(content))));
});

test('what the kernel makes up has no size, and is read all the same', async (t) => {
  if (process.platform !== 'linux') return t.pass();
  const server = await serveGet(t, () => stream(createReadStream('/proc/self/cmdline')));
  t.is((await request(t, server, 'GET /')).text, readFileSync('/proc/self/cmdline', 'utf8'));
});

test('HEAD closes the file unread', async (t) => {
  const file = createReadStream(path);
  const get = () => stream(file, 'text/plain', { 'Content-Length': size });
  const server = await serveGet(t, get);
  const response = await request(t, server, 'HEAD /');
  t.is(fieldOf(response.fields, 'content-length'), String(size));
  await closed(file);
  t.is(file.bytesRead, 0);
});

for (const [name, make] of [
  ['that somebody listens to', () => createReadStream(path).on('data', () => {})],
  ['that was read from', () => createReadStream(path).on('readable', () => {})],
  ['of a descriptor', () => createReadStream('', { fd: fs.openSync(path) })],
  ['of a handle', async () => (await open(path)).createReadStream()],
  ['of another `fs`', () => createReadStream(path, { fs: { ...fs } })],
  [
    'that its owner reads his own way',
    () => Object.assign(createReadStream(path), { read: fs.ReadStream.prototype.read }),
  ],
]) {
  test(`a file ${name} is whole, too`, async (t) => {
    let file;
    const server = await serveGet(t, async () => {
      file = await make();
      file.removeAllListeners('readable');
      return stream(file);
    });
    const response = await request(t, server, 'GET /');
    t.true(response.complete);
    t.true(response.body.equals(content));
    await closed(file);
  });
}

test('a listener that comes later hears the whole file, and so does the client', async (t) => {
  const big = join(folder, 'listened');
  const copies = Buffer.concat(Array(8).fill(content));
  await writeFile(big, copies);
  const file = createReadStream(big);
  const server = await serveGet(t, () => stream(file));
  const client = await connect(t, server);
  client.send(requestBytes('GET /'));
  await client.head();
  // Rust is in the middle of the file, and cannot come to its end.
  client.stall();
  const heard = [];
  file.on('data', (chunk) => heard.push(chunk));
  client.resume();
  await Promise.all([
    once(file, 'end'),
    until(() => client.bytes.subarray(-5).equals(Buffer.from('0\r\n\r\n')), 'the last chunk'),
  ]);
  t.true(Buffer.concat(heard).equals(copies));
  t.true(Buffer.concat(readChunks(client.bytes).chunks).equals(copies));
});

test('bytesRead tells how far it has come', async (t) => {
  const big = join(folder, 'progress');
  await writeFile(big, '');
  truncateSync(big, 2 ** 26);
  const file = createReadStream(big);
  const server = await serveGet(t, () => stream(file));
  const seen = new Set();
  const client = await connect(t, server);
  client.send(requestBytes('GET /'));
  await until(() => seen.add(file.bytesRead).size > 3, 'bytesRead rises');
  client.destroy();
  await closed(file);
  t.true([...seen].every((bytes) => bytes <= 2 ** 26));
});
