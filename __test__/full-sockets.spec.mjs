// What was written at once, and the client's socket had no room for: it leaves when there is room, whatever else
// happens or does not.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import anyTest from 'ava';
import { channel, sse, stream, text } from 'wapix';
import { CERT, KEY } from './helpers/certificate.mjs';
import { connect, requestBytes } from './helpers/client.mjs';
import { until } from './helpers/events.mjs';
import { serve } from './helpers/server.mjs';
import { manual } from './helpers/source.mjs';
import { connectValve } from './helpers/valve.mjs';

// Of a Unix socket it is known how much it holds.
const test = process.platform === 'win32' ? anyTest.serial.skip : anyTest.serial;

const folder = mkdtempSync(join(tmpdir(), 'wapix-full-'));
anyTest.after.always(() => rmSync(folder, { recursive: true }));
let paths = 0;

/** How long an answer that may have left by itself is not looked for. */
const UNSEEN = 2000;
const GET = requestBytes('GET /answer');
/** Content that leaves in one record of TLS with its head. */
const SMALL = 3000;

/**
 * Serves `routes`, and an answer of so many bytes which is counted. Connections are kept for longer than anything is
 * waited for: their end would send what is held back.
 */
async function start(t, { length = SMALL, tls = false, routes = {}, idle = 60_000 }) {
  let answers = 0;
  const answer = () => {
    answers += 1;
    return text('a'.repeat(length));
  };
  const all = { ...routes, '/answer': { get: answer }, '/other': { get: () => text('other') } };
  const options = { keepAliveTimeout: idle, ...(tls && { https: { key: KEY, cert: CERT } }) };
  const server = await serve(t, all, options, { path: join(folder, `${paths++}`) });
  // Ten times the way of an answer, and of what else was handed over before.
  const settle = async () => {
    const other = await connect(t, server, { tls });
    for (let round = 0; round < 10; round += 1) {
      other.send(requestBytes('GET /other'));
      await other.response();
    }
    other.destroy();
  };
  const client = () => connectValve(t, server, { tls });
  return { server, settle, client, answers: () => answers };
}

/**
 * How many answers of `length` bytes that nobody reads make a socket full: of the last it has not taken all. Those in
 * TLS are larger, but not so much that they would need other pieces of the system's memory.
 */
async function capacity(t, length) {
  const { settle, client: open, answers } = await start(t, { length });
  const { client, valve } = await open();
  client.send(GET);
  await client.response();
  valve.shut();
  for (let count = 0; count < 10_000; count += 1) {
    const before = answers();
    client.send(GET);
    for (let tries = 0; tries < 5 && answers() === before; tries += 1) await settle();
    // Nobody reads a request while an answer waits.
    if (answers() === before) {
      valve.destroy();
      t.true(count > 0);
      return count;
    }
  }
  throw new Error('it is never full');
}

/** A client that has had an answer, and takes no more until its valve is opened. */
async function shutAfterAnAnswer(open) {
  const opened = await open();
  opened.client.send(GET);
  await opened.client.response();
  opened.valve.shut();
  return opened;
}

for (const [what, options] of [
  ['small', {}],
  ['larger', { length: 60_000 }],
  ['small, with TLS', { tls: true }],
]) {
  test(`the rest of an answer leaves when there is room, not when somebody looks: ${what}`, async (t) => {
    const started = await start(t, { ...options, idle: UNSEEN });
    const { server, settle, answers } = started;
    const { tls } = options;
    const count = await capacity(t, options.length);
    let first;
    // A machine may stand still for as long as a connection may be silent, but not in every round.
    for (let round = 0; round < 5 && first !== 'the rest'; round += 1) {
      const silent = await connect(t, server, { tls });
      await settle();
      const { client, valve } = await shutAfterAnAnswer(started.client);
      for (let asked = 0; asked < count; asked += 1) {
        const before = answers();
        client.send(GET);
        await until(() => answers() > before, 'the next answer');
      }
      await settle();
      valve.open();
      const all = (async () => {
        for (let answer = 0; answer < count; answer += 1) {
          t.is((await client.response()).text.length, options.length ?? SMALL);
        }
        return 'the rest';
      })();
      first = await Promise.race([all, silent.ended().then(() => 'the end of the silent one')]);
      await all;
      valve.destroy();
      silent.destroy();
    }
    t.is(first, 'the rest');
  });
}

test('what TLS holds back of an answer leaves when there is room, wherever that was written', async (t) => {
  // More than leaves past the connection's task.
  const length = 5000;
  const { settle, client: open, answers } = await start(t, { length, tls: true });
  let isFull = false;
  for (let count = 1; !isFull; count += 1) {
    const { client, valve } = await shutAfterAnAnswer(open);
    for (let asked = 0; asked < count; asked += 1) {
      const before = answers();
      client.send(GET);
      while (answers() === before && !isFull) {
        await settle();
        // The answer before has found it full, and nobody reads the request.
        isFull = answers() === before;
      }
    }
    await settle();
    valve.open();
    for (let answer = 0; answer < count; answer += 1) {
      t.is((await client.response()).text.length, length);
    }
    valve.destroy();
  }
});

const news = channel('of full sockets', { heartbeat: Number.POSITIVE_INFINITY });
const crowd = channel('of full sockets, of every size', { queue: 1 << 26 });
const quiet = { heartbeat: Number.POSITIVE_INFINITY };

for (const [what, respond, send] of [
  ['chunks', (source) => stream(source), (source, data) => source.push(data)],
  ['events', (source) => sse(source, quiet), (source, data) => source.push({ data })],
  ['a channel', (_, req) => news.subscribe(req), (_, data) => news.publish({ data })],
]) {
  for (const tls of [false, true]) {
    test(`the last of ${what} leaves when there is room${tls ? ', with TLS' : ''}`, async (t) => {
      const source = manual({ objectMode: true });
      const routes = { '/': { get: (req) => respond(source, req) } };
      const started = await start(t, { tls, routes });
      const count = await capacity(t);
      const { client, valve } = await started.client();
      client.send(requestBytes('GET /'));
      let sent = 0;
      const next = async () => {
        sent += 1;
        send(source, `<${sent}>${'.'.repeat(SMALL)}!`);
        // So that each is written by itself.
        await started.settle();
      };
      if (what === 'a channel') await until(() => news.size === 1, 'it is subscribed');
      // However a response begins.
      while (sent < 5) {
        await next();
        await client.through('!');
      }
      // The first that there is no room for is the last. Then a few more come: TLS has room for them. Twice: a timer
      // of the connection's beginning may have it look once.
      for (const more of [0, 0, 1, 4]) {
        const [first, last] = [sent + 1, sent + count + more];
        valve.shut();
        while (sent < last) await next();
        valve.open();
        const got = (await client.through(`<${last}>`)) + (await client.through('!'));
        t.deepEqual(
          Array.from(got.matchAll(/<(\d+)>\.*!/g), ([, number]) => Number(number)),
          Array.from({ length: count + more }, (_, index) => first + index),
        );
      }
      if (what === 'a channel') return;
      // The end, where it is the first that there is no room for.
      const last = sent + count - 1;
      valve.shut();
      while (sent < last) await next();
      source.push(null);
      await started.settle();
      valve.open();
      await client.through('\r\n0\r\n\r\n');
    });
  }
}

/** What is small, what is written as it is, and what leaves in pieces. */
const LENGTHS = [700, 100_000, 700, 20_000, 5, 300_000, 60_000, 3000, 3000, 262_144, 1, 1_100_000];

const bytes = (source, data) => source.push(Buffer.from(data));

for (const [what, respond, send] of [
  ['text', (source) => stream(source), (source, data) => source.push(data)],
  ['bytes', (source) => stream(source), bytes],
  ['bytes of a known length', (source) => stream(source, 'a/b', { 'Content-Length': 1e9 }), bytes],
  ['events', (source) => sse(source, quiet), (source, data) => source.push({ data })],
  ['events of a channel', (_, req) => crowd.subscribe(req), (_, data) => crowd.publish({ data })],
]) {
  for (const tls of [false, true]) {
    test(`${what}: chunks of every size come whole and in order where some find the socket full${tls ? ', with TLS' : ''}`, async (t) => {
      const source = manual({ objectMode: true });
      const { client: open, settle } = await start(t, {
        tls,
        routes: { '/': { get: (req) => respond(source, req) } },
      });
      const { client, valve } = await open();
      client.send(requestBytes('GET /'));
      if (what === 'events of a channel') await until(() => crowd.size === 1, 'it is subscribed');
      else send(source, 'the first');
      await client.head();
      for (let round = 0; round < LENGTHS.length; round += 1) {
        // Each is the one that finds it full, and each comes after it.
        const lengths = [...LENGTHS.slice(round), ...LENGTHS.slice(0, round)];
        valve.shut();
        for (const [at, length] of lengths.entries()) {
          send(source, `<${at} ${'.'.repeat(length)}>`);
          if (at % 3 < 2) await settle();
        }
        send(source, `<the end of ${round}>`);
        valve.open();
        const raw = await client.through(`<the end of ${round}>`);
        // Without the lines between pieces, of which wapix and hyper write some.
        const got = raw.replace(/\r\n[0-9a-f]+\r\n/gi, '').matchAll(/<(\d+) (\.*)>/g);
        t.deepEqual(
          Array.from(got, ([, at, text]) => [Number(at), text.length]),
          [...lengths.entries()],
        );
      }
    });
  }
}
