// One I/O thread: JavaScript's thread serves what few connections there are, and the other one in its place
// while it is busy, or when they are many.

import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { json, stream, text } from 'wapix';
import { connect, requestBytes } from './helpers/client.mjs';
import { until } from './helpers/events.mjs';
import { fieldOf } from './helpers/message.mjs';
import { runProgram } from './helpers/program.mjs';
import { serve } from './helpers/server.mjs';
import { counted, patterned } from './helpers/source.mjs';

const ONE = { ioThreads: 1 };

/** A program that computes from a request for `/busy` on until there is the file that it names. */
const BUSY = `
  import { createReadStream, existsSync, statSync } from 'node:fs';
  import { createServer, json, stream } from 'wapix';
  const server = createServer({
    '/busy': {
      get: ({ headers }) => {
        const last = Date.now() + 30_000;
        console.log('busy');
        while (!existsSync(headers.until) && Date.now() < last);
        return json(existsSync(headers.until));
      },
    },
    '/file': {
      get: () =>
        stream(createReadStream(process.execPath), 'application/octet-stream', {
          'Content-Length': statSync(process.execPath).size,
        }),
    },
  }, { ioThreads: 1, livenessPath: '/healthz' });
  server.listen(0, '127.0.0.1', () => console.log('port', server.address().port));
`;

test('while a handler computes, files are sent, clients let in, and answered what needs no handler', async (t) => {
  const program = runProgram(t, BUSY);
  const [, port] = await program.printed(/port (\d+)/);
  const to = (options) =>
    connect(t, { address: () => null }, { host: '127.0.0.1', port, ...options });
  const reader = await to();
  reader.send(requestBytes('GET /file'));
  const head = await reader.head();
  const length = head.length + Number(fieldOf(head.fields, 'content-length'));
  reader.stall();
  const name = join(tmpdir(), `wapix-relief-${process.pid}`);
  t.teardown(() => rm(name));
  const busy = (await to()).send(requestBytes('GET /busy', { until: name })).response();
  await program.printed(/busy/);
  reader.resume();
  const received = () => reader.reads.reduce((total, { length: each }) => total + each, 0);
  await until(() => received() === length, 'all of the file');
  t.is((await (await to()).send(requestBytes('GET /healthz')).response()).status, 200);
  t.is((await (await to()).send(requestBytes('GET /none')).response()).status, 404);
  await writeFile(name, '');
  t.true((await busy).json);
});

test('not a byte is lost where connections become many, and few again', async (t) => {
  const LENGTH = 100_000;
  const routes = {
    '/number/:number': { get: ({ params }) => json(Number(params.number)) },
    '/bytes': { get: () => stream(counted(LENGTH)) },
    '/length': { post: ({ rawBody }) => text(String(rawBody.length)) },
  };
  const server = await serve(t, routes, ONE);
  const expected = patterned(0, LENGTH);
  const ask = async (client, number) => {
    for (let round = 0; round < 3; round += 1) {
      const numbers = [number, number + 1, number + 2];
      client.send(...numbers.map((each) => requestBytes(`GET /number/${each}`)));
      for (const each of numbers) t.is((await client.response()).json, each);
      const { body } = await client.send(requestBytes('GET /bytes')).response();
      t.true(body.equals(expected));
      const content = 'x'.repeat(20_000 + number);
      const answer = await client.send(requestBytes('POST /length', {}, content)).response();
      t.is(answer.text, String(content.length));
    }
  };
  for (const count of [2, 60, 4, 60]) {
    const clients = await Promise.all(Array.from({ length: count }, () => connect(t, server)));
    await Promise.all(clients.map(ask));
    for (const client of clients) client.destroy();
  }
});
