// Large bodies are Buffers whose memory is Rust's: it is freed when JavaScript has let go of them, and not before.

import test from 'ava';
import { connect, requestBytes } from './helpers/client.mjs';
import { runProgram } from './helpers/program.mjs';
import { patterned } from './helpers/source.mjs';

const MEBIBYTE = 1 << 20;

/** The allocator of Linux gives back at once what is large, and not sometimes. */
const EXACT = { MALLOC_MMAP_THRESHOLD_: '131072' };

/** Compares what is uploaded with what it should be, whole or as it comes, and tells of its memory. */
const UPLOADS = `
  import { setTimeout as wait } from 'node:timers/promises';
  import { createServer, json } from 'wapix';
  import { patterned } from './__test__/helpers/source.mjs';
  const expected = patterned(0, ${MEBIBYTE});
  const whole = ({ rawBody }) => json(rawBody.equals(expected));
  const parts = async ({ raw }) => {
    const chunks = [];
    for await (const chunk of raw) chunks.push(chunk);
    return json(Buffer.concat(chunks).equals(expected));
  };
  const server = createServer({
    '/whole': { post: { handler: whole, config: { bodyLimit: ${MEBIBYTE} } } },
    '/parts': { post: { handler: parts, config: { streamBody: true, bodyLimit: ${MEBIBYTE} } } },
    '/memory': {
      get: async () => {
        for (let round = 0; round < 3; round += 1) {
          gc();
          await wait(10);
        }
        return json(process.memoryUsage());
      },
    },
  });
  server.listen(0, '127.0.0.1', () => console.log('port', server.address().port));
`;

for (const [what, path] of [
  ['read whole', '/whole'],
  ['read as they come', '/parts'],
]) {
  test.serial(`memory is flat over 120 bodies of 1 MiB, ${what}`, async (t) => {
    const program = runProgram(t, UPLOADS, ['--expose-gc'], EXACT);
    const [, port] = await program.printed(/port (\d+)/);
    const where = { host: '127.0.0.1', port: Number(port) };
    const server = { address: () => null };
    const upload = requestBytes(`POST ${path}`, {}, patterned(0, MEBIBYTE));
    const clients = [await connect(t, server, where), await connect(t, server, where)];
    const run = async (count) => {
      const one = async (client) => {
        for (let index = 0; index < count / 2; index += 1) {
          t.true((await client.send(upload).response()).json);
        }
      };
      await Promise.all(clients.map(one));
      return (await clients[0].send(requestBytes('GET /memory')).response()).json;
    };
    const before = await run(30);
    const after = await run(120);
    for (const [kind, most] of [
      ['external', MEBIBYTE],
      ['arrayBuffers', MEBIBYTE],
      ['rss', 16 * MEBIBYTE],
    ]) {
      t.log(`${kind} ${before[kind]} → ${after[kind]}`);
      t.true(after[kind] - before[kind] < most, `${kind}: ${before[kind]} → ${after[kind]}`);
    }
    t.is(program.stderr, '');
  });
}

/** Serves uploads, and hands them on to the main thread, or to nobody. */
const WORKER = `
  const { once } = require('node:events');
  const { parentPort } = require('node:worker_threads');
  const { createServer, text } = require('wapix');
  const kept = [];
  const copy = ({ rawBody }) => {
    parentPort.postMessage(rawBody);
    return text('');
  };
  const transfer = ({ rawBody }) => {
    try {
      parentPort.postMessage(rawBody, [rawBody.buffer]);
    } catch (error) {
      // Where Node has memory that is not its own stay where it is.
      if (error.name !== 'DataCloneError') throw error;
      parentPort.postMessage(rawBody);
    }
    return text('');
  };
  const keep = ({ rawBody }) => {
    kept.push(rawBody);
    parentPort.postMessage(rawBody.subarray(1));
    return new Promise(() => {});
  };
  const parts = async ({ raw }) => {
    for await (const chunk of raw) {
      kept.push(chunk);
      parentPort.postMessage(chunk);
    }
    return text('');
  };
  const server = createServer({
    '/copy': { post: copy },
    '/transfer': { post: transfer },
    '/keep': { post: keep },
    '/parts': { post: { handler: parts, config: { streamBody: true } } },
  });
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;

/** Has bodies sent on by workers that are then terminated, and reads them when their workers have gone. */
const TERMINATED = `
  import { once } from 'node:events';
  import { Agent, request } from 'node:http';
  import { setTimeout as wait } from 'node:timers/promises';
  import { Worker } from 'node:worker_threads';
  import { patterned } from './__test__/helpers/source.mjs';

  const expected = patterned(0, ${MEBIBYTE});
  const agent = new Agent();
  async function round() {
    const worker = new Worker(${JSON.stringify(WORKER)}, { eval: true, execArgv: [] });
    const [port] = await once(worker, 'message');
    const received = [];
    let bytes = 0;
    const all = new Promise((resolve) => {
      worker.on('message', (chunk) => {
        received.push(chunk);
        bytes += chunk.length;
        if (bytes === 4 * expected.length - 1) resolve();
      });
    });
    for (const path of ['/copy', '/transfer', '/keep', '/parts']) {
      const options = { host: '127.0.0.1', port, path, method: 'POST', agent };
      request(options, (response) => response.resume()).on('error', () => {}).end(expected);
    }
    await all;
    await worker.terminate();
    gc();
    const parts = [];
    const wrong = [];
    for (const chunk of received) {
      if (chunk.length === expected.length) {
        if (!expected.equals(chunk)) wrong.push('whole');
      } else if (chunk.length === expected.length - 1) {
        if (!expected.subarray(1).equals(chunk)) wrong.push('kept');
      } else parts.push(chunk);
    }
    if (!Buffer.concat(parts).equals(expected)) wrong.push('parts');
    if (wrong.length > 0) throw new Error('wrong: ' + wrong);
  }
  const memory = async () => {
    for (let turns = 0; turns < 3; turns += 1) {
      gc();
      await wait(10);
    }
    return process.memoryUsage();
  };
  for (let count = 0; count < 2; count += 1) await round();
  const before = await memory();
  for (let count = 0; count < 8; count += 1) await round();
  const after = await memory();
  const grown = ['external', 'arrayBuffers', 'rss'].map((kind) => after[kind] - before[kind]);
  console.log('grown', ...grown);
`;

test.serial(
  'bodies that a worker hands on outlive it, and those that it keeps end with it',
  async (t) => {
    const program = runProgram(t, TERMINATED, ['--expose-gc'], EXACT);
    t.deepEqual(await program.exit(), { code: 0, signal: null }, program.stderr);
    const [, ...grown] = program.stdout.split(' ').map(Number);
    t.log(`grown by ${grown} bytes: external, arrayBuffers, resident`);
    const [external, arrayBuffers, resident] = grown;
    t.true(external < MEBIBYTE && arrayBuffers < MEBIBYTE, program.stdout);
    // Eight rounds have sent 32 MiB, and kept 16.
    t.true(resident < 14 * MEBIBYTE, program.stdout);
    t.is(program.stderr, '');
  },
);
