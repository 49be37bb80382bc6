// What people use to take a stream: each gets every byte, sees a failure as one, and can leave.

import { createHash } from 'node:crypto';
import { once as onceOf } from 'node:events';
import {
  createReadStream,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { get as httpGet } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import test from 'ava';
import nodeFetch from 'node-fetch';
import * as undici from 'undici';
import { stream } from 'wapix';
import { CERT, KEY } from './helpers/certificate.mjs';
import { within } from './helpers/deadline.mjs';
import { closed, until } from './helpers/events.mjs';
import { needing } from './helpers/installed.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';
import { printedClient } from './helpers/printed.mjs';
import { runProgram, start } from './helpers/program.mjs';
import { originOf, serve } from './helpers/server.mjs';
import { counted, manual, patterned } from './helpers/source.mjs';

captureErrors();

const folder = mkdtempSync(join(tmpdir(), 'wapix-clients-'));
test.after.always(() => rmSync(folder, { recursive: true }));

const MIB = 2 ** 20;
const content = patterned(0, 3 * MIB);
const file = join(folder, 'content');
test.before(() => writeFileSync(file, content));

/** The ways to send `content`. */
const WHOLE = {
  '/whole': { get: () => stream(counted(content.length)) },
  '/declared': { get: () => stream(counted(content.length), 'a/b', declared(content.length)) },
  '/file': { get: () => stream(createReadStream(file), 'a/b', declared(content.length)) },
};

function declared(length) {
  return { 'Content-Length': length };
}

/** The ways to fail once `some` was sent. */
const FAILURES = [
  ['an error', {}, (source) => source.destroy(new Error('broken'))],
  ['an error, a length declared', declared(100), (source) => source.destroy(new Error('broken'))],
  ['an end before the declared length', declared(100), (source) => source.push(null)],
];

/** Serves one source at `path`. */
async function serving(t, path, source, headers, options) {
  const get = () => stream(source, 'a/b', headers);
  const server = await serve(t, { [path]: { get }, ...WHOLE }, options);
  return originOf(server, options?.https ? 'https' : 'http');
}

// ---- Clients of Node: what each makes of a response is iterated.

const CLIENTS = {
  async *fetch(url, signal) {
    const response = await fetch(url, { signal });
    yield* response.body;
  },
  async *'node-fetch'(url, signal) {
    const response = await nodeFetch(url, { signal });
    yield* response.body;
  },
  async *'undici.fetch'(url, signal) {
    const response = await undici.fetch(url, { signal });
    yield* response.body;
  },
  async *'undici.request'(url, signal) {
    const { body } = await undici.request(url, { signal });
    yield* body;
  },
  async *'undici.stream'(url, signal) {
    const body = new PassThrough();
    const done = undici.stream(url, { method: 'GET', signal }, () => body);
    done.catch((error) => body.destroy(error));
    yield* body;
    await done;
  },
  async *'http.get'(url, signal) {
    const request = httpGet(url, { signal });
    const [response] = await onceOf(request, 'response');
    // What ends the request later is an error of the response too.
    request.on('error', () => {});
    yield* response;
  },
};

/** The next chunk, as text; `undefined` at the end. */
async function next(chunks) {
  const { done, value } = await within(chunks.next(), 'a chunk');
  return done ? undefined : Buffer.from(value).toString();
}

async function all(chunks) {
  const taken = [];
  for await (const chunk of chunks) taken.push(chunk);
  return Buffer.concat(taken);
}

for (const [name, take] of Object.entries(CLIENTS)) {
  test(`${name}: every byte`, async (t) => {
    const origin = originOf(await serve(t, WHOLE));
    for (const path of Object.keys(WHOLE)) {
      const body = await within(all(take(origin + path)), `the body of ${path}`);
      t.true(body.equals(content), path);
    }
  });

  test(`${name}: events one by one`, async (t) => {
    const source = manual();
    const events = take(`${await serving(t, '/events', source)}/events`);
    for (const event of ['data: 1\n\n', 'data: 2\n\n', 'data: 3\n\n']) {
      source.push(event);
      t.is(await next(events), event);
    }
    source.push(null);
    t.is(await next(events), undefined);
  });

  for (const [index, [failure, headers, fail]] of FAILURES.entries()) {
    test(`${name}: ${failure} midway fails the client, and not its next request`, async (t) => {
      const path = `/failing-${name}-${index}`;
      const source = manual();
      const origin = await serving(t, path, source, headers);
      const chunks = take(origin + path);
      source.push('some');
      t.is(await next(chunks), 'some');
      fail(source);
      // What it is called differs from client to client; a deadline of ours is none.
      await t.throwsAsync(next(chunks), { message: /^(?!never happened)/ });
      t.is(errorsNaming(path).length, 1);
      const body = await within(all(take(`${origin}/whole`)), 'the next body');
      t.true(body.equals(content));
    });
  }

  test(`${name}: a signal that aborts destroys the source`, async (t) => {
    const path = `/aborted-${name}`;
    const leaving = new AbortController();
    const source = manual();
    const chunks = take((await serving(t, path, source)) + path, leaving.signal);
    source.push('some');
    t.is(await next(chunks), 'some');
    leaving.abort();
    await t.throwsAsync(next(chunks), { any: true, message: /abort/i });
    await closed(source);
    t.is(source.errored, null, 'leaving is no error of the source');
    t.deepEqual(errorsNaming(path), [], 'leaving is not logged');
  });

  test(`${name}: to leave the loop destroys a source in full flow`, async (t) => {
    const path = `/left-${name}`;
    const source = counted(Number.POSITIVE_INFINITY);
    const chunks = take((await serving(t, path, source)) + path);
    for await (const chunk of chunks) {
      t.true(chunk.length > 0);
      break;
    }
    await closed(source);
    t.deepEqual(errorsNaming(path), [], 'leaving is not logged');
  });
}

test('the consumer that the page prints, with the fetch of Node', async (t) => {
  const source = manual();
  const server = await serve(t, {
    '/events': { get: () => stream(source, 'text/event-stream') },
  });
  const program = runProgram(t, printedClient(originOf(server)));
  for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
    source.push(event);
    await program.printed(new RegExp(`Received: ${event}`));
  }
  source.push(null);
  t.is((await program.exit()).code, 0, program.stderr);
});

// ---- curl and wget

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** As nobody has configured it, and past any proxy. */
const curl = (t, ...args) => start(t, 'curl', ['-q', '-sS', '--noproxy', '*', ...args]);
const wget = (t, ...args) => start(t, 'wget', ['--no-config', '--no-proxy', '-nv', ...args]);

const curlTest = needing(test, 'curl');
const wgetTest = needing(test, 'wget');
const TLS = { https: { key: KEY, cert: CERT } };

for (const [version, flags, options, codes] of [
  ['HTTP/1.1', [], {}, [18, 18, 18]],
  // Without a length only a reset can tell the end from a failure.
  ['HTTP/1.0', ['--http1.0'], {}, [56, 18, 18]],
  ['TLS', ['--insecure', '--http1.1'], TLS, [18, 18, 18]],
  // Over TLS curl speaks it by itself.
  ['HTTP/2', ['--insecure'], TLS, [92, 92, 92]],
]) {
  curlTest(`curl: a download over ${version}, whole`, async (t) => {
    const origin = originOf(await serve(t, WHOLE, options), options.https ? 'https' : 'http');
    for (const path of Object.keys(WHOLE)) {
      const output = join(folder, `curl-${version.replace('/', '-')}-${path.slice(1)}`);
      const run = curl(t, ...flags, '-o', output, '-w', '%{http_code}', origin + path);
      t.is((await run.exit()).code, 0, run.stderr);
      t.is(run.stdout, '200');
      t.is(sha256(readFileSync(output)), sha256(content), path);
    }
  });

  for (const [index, [failure, headers, fail]] of FAILURES.entries()) {
    curlTest(`curl: ${failure} midway over ${version} is a failed transfer`, async (t) => {
      const path = `/failing-curl-${version}-${index}`;
      const source = manual();
      const origin = await serving(t, path, source, headers, options);
      const run = curl(t, ...flags, '-N', origin + path);
      source.push('some');
      await run.printed(/^some$/);
      fail(source);
      t.is((await run.exit()).code, codes[index], run.stderr);
      t.is(run.stdout, 'some');
    });
  }

  curlTest(`curl: leaving over ${version} destroys the source`, async (t) => {
    const path = `/left-curl-${version}`;
    const source = manual();
    const run = curl(t, ...flags, '-N', (await serving(t, path, source, {}, options)) + path);
    source.push('some');
    await run.printed(/some/);
    run.child.kill('SIGINT');
    await closed(source);
    t.deepEqual(errorsNaming(path), [], 'leaving is not logged');
  });
}

curlTest('curl -N: events one by one, then the end', async (t) => {
  const source = manual();
  const server = await serve(t, { '/': { get: () => stream(source, 'text/event-stream') } });
  const run = curl(t, '-N', originOf(server));
  let sent = '';
  for (let id = 1; id <= 10; id += 1) {
    source.push(`id: ${id}\ndata: {}\n\n`);
    sent += `id: ${id}\ndata: {}\n\n`;
    await run.printed(new RegExp(`^${sent}$`));
  }
  source.push(null);
  t.is((await run.exit()).code, 0, run.stderr);
  t.is(run.stdout, sent);
});

curlTest('curl --limit-rate: a client slower than the source gets every byte', async (t) => {
  const total = 12 * MIB;
  const server = await serve(t, { '/': { get: () => stream(counted(total)) } });
  const output = join(folder, 'curl-limited');
  const run = curl(t, '--limit-rate', '12M', '-o', output, originOf(server));
  t.is((await run.exit()).code, 0, run.stderr);
  t.is(sha256(readFileSync(output)), sha256(patterned(0, total)));
});

function contentOf(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

wgetTest('wget: a download, whole', async (t) => {
  const origin = originOf(await serve(t, WHOLE));
  for (const path of Object.keys(WHOLE)) {
    const output = join(folder, `wget-${path.slice(1)}`);
    const run = wget(t, '-O', output, origin + path);
    t.is((await run.exit()).code, 0, run.stderr);
    t.is(sha256(readFileSync(output)), sha256(content), path);
  }
});

for (const [index, [failure, headers, fail]] of FAILURES.entries()) {
  wgetTest(`wget: ${failure} midway is asked for again, and made whole`, async (t) => {
    const path = `/failing-wget-${index}`;
    const [source, whole] = [manual(), 'some and all the rest'.padEnd(100)];
    const attempts = [];
    const get = ({ headers: { range } }) => {
      attempts.push(range);
      if (attempts.length === 1) return stream(source, 'a/b', headers);
      const again = manual();
      again.push(whole);
      again.push(null);
      return stream(again, 'a/b', headers);
    };
    const origin = originOf(await serve(t, { [path]: { get } }));
    const output = join(folder, `wget-${index}`);
    const run = wget(t, '--tries=2', '--waitretry=0', '-O', output, origin + path);
    source.push('some');
    await until(() => contentOf(output) === 'some', 'wget wrote what it was sent');
    fail(source);
    t.is((await run.exit()).code, 0, run.stderr);
    // A range is not promised: it takes the whole again.
    t.deepEqual(attempts, [undefined, 'bytes=4-']);
    t.is(readFileSync(output, 'utf8'), whole);
  });

  wgetTest(`wget: ${failure} midway is a failure in the end`, async (t) => {
    const path = `/failed-wget-${index}`;
    const source = manual();
    const run = wget(
      t,
      ...['--tries=1', '-O', '-'],
      (await serving(t, path, source, headers)) + path,
    );
    source.push('some');
    await run.printed(/^some$/);
    fail(source);
    t.is((await run.exit()).code, 4, run.stderr);
  });
}

wgetTest('wget: leaving destroys the source', async (t) => {
  const source = manual();
  const run = wget(t, '-O', '-', `${await serving(t, '/left-wget', source)}/left-wget`);
  source.push('some');
  await run.printed(/some/);
  run.child.kill('SIGINT');
  await closed(source);
  t.deepEqual(errorsNaming('/left-wget'), [], 'leaving is not logged');
});
