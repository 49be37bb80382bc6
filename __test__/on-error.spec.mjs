import { AsyncLocalStorage } from 'node:async_hooks';
import { Readable } from 'node:stream';
import test from 'ava';
import { json, status, stream, text } from 'wapix';
import { connect, request, requestBytes, requestFailure } from './helpers/client.mjs';
import { closed, deferred, until } from './helpers/events.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';
import { serve } from './helpers/server.mjs';

captureErrors();

const FAILING = [
  ['throws', () => { throw new Error('on purpose'); }, 'on purpose'],
  ['rejects', async () => { throw new Error('on purpose'); }, 'on purpose'],
  ['returns nothing', () => {}, /returned nothing/],
  ['returns what has no JSON form', () => json(1n), /JSON/],
  ['sends a bad header', () => json({}, { 'x-a': '\n' }), /x-a/],
]; // biome-ignore format: a table

for (const [index, [name, get, message]] of FAILING.entries()) {
  for (const kind of ['sync', 'async']) {
    test(`a handler that ${name}: ${kind} onError answers, and wapix logs nothing`, async (t) => {
      const path = `/on-error-${index}-${kind}`;
      const errors = [];
      const answer = (error, req) => {
        errors.push(error);
        return status(503, { path: req.url }, { 'x-by': 'onError' });
      };
      const onError = kind === 'sync' ? answer : async (error, req) => answer(error, req);
      const server = await serve(t, { [path]: { get } }, { onError });
      const response = await request(t, server, `GET ${path}`);
      t.is(response.status, 503);
      t.deepEqual(response.json, { path });
      t.is(response.field('x-by'), 'onError');
      t.is(errors.length, 1);
      t.true(errors[0].message.search(message) >= 0, errors[0].message);
      t.deepEqual(errorsNaming(path), []);
    });
  }
}

for (const [name, onError] of [
  [
    'throws',
    () => {
      throw new Error('onError itself');
    },
  ],
  [
    'rejects',
    async () => {
      throw new Error('onError itself');
    },
  ],
  ['returns nothing', () => {}],
]) {
  // biome-ignore format: a table
  test(`an onError that ${name}: 500, and both errors are logged`, async (t) => {
    const path = `/on-error-that-${name.replace(' ', '-')}`;
    const get = () => {
      throw new Error('the handler');
    };
    const server = await serve(t, { [path]: { get } }, { onError });
    const response = await request(t, server, `GET ${path}`);
    t.is(response.status, 500);
    t.is(response.text, '{"error":"Internal Server Error"}');
    const entries = errorsNaming(path);
    t.is(entries.length, 2);
    t.regex(entries[0], /failed: Error: the handler/);
    t.regex(entries[1], /failed in onError: .*(onError itself|returned nothing)/);
  });
}

test('onError has the very request of the handler, and its asynchronous context', async (t) => {
  const storage = new AsyncLocalStorage();
  const seen = [];
  const server = await serve(
    t,
    {
      '/:id': {
        get: async (req) => {
          storage.enterWith(`store of ${req.params.id}`);
          seen.push(req);
          await null;
          throw new Error('on purpose');
        },
      },
    },
    { onError: (_, req) => json({ same: seen.includes(req), store: storage.getStore() }) },
  );
  t.deepEqual((await request(t, server, 'GET /7')).json, { same: true, store: 'store of 7' });
});

test('onError may return a Response', async (t) => {
  const get = () => {
    throw new Error('on purpose');
  };
  const onError = () => new Response('from onError', { status: 502 });
  const server = await serve(t, { '/': { get } }, { onError });
  const response = await request(t, server, 'GET /');
  t.is(response.status, 502);
  t.is(response.text, 'from onError');
});

test('onError is not asked about what a client did wrong', async (t) => {
  const server = await serve(
    t,
    { '/': { post: () => text('never') } },
    { onError: () => text('asked') },
  );
  const type = { 'content-type': 'application/json' };
  const response = await request(t, server, 'POST /', type, '{');
  t.is(response.status, 400);
  t.is(response.json.code, 'WAPIX_INVALID_JSON');
});

for (const [name, hasBegun] of [
  ['after its headers', true],
  ['at once', false],
]) {
  test(`onError hears of a stream that fails ${name}, and what it makes of it goes nowhere`, async (t) => {
    const target = `/on-error-stream-${hasBegun}`;
    const fail = deferred();
    const error = new Error('the stream');
    const get = () =>
      stream(
        (async function* () {
          if (hasBegun) {
            yield 'begun';
            await fail.promise;
          }
          throw error;
        })(),
      );
    const told = [];
    const late = new Readable({ read() {} });
    const onError = (...of) => {
      told.push(of);
      return stream(late);
    };
    const server = await serve(t, { [target]: { get } }, { onError });
    const client = await connect(t, server);
    client.send(requestBytes(`GET ${target}`));
    if (hasBegun) await client.through('begun');
    fail.resolve();
    await closed(late);
    t.is(told.length, 1);
    const [[heard, req]] = told;
    t.is(heard, error);
    t.is(req.url, target);
    t.deepEqual(errorsNaming(target), []);
  });
}

test('an onError that fails at a stream is logged with what it was told', async (t) => {
  const get = () => stream(Readable.from([{ no: 'chunk' }]));
  const onError = async () => {
    throw new Error('in onError');
  };
  const server = await serve(t, { '/on-error-twice': { get } }, { onError });
  await requestFailure(t, server, 'GET /on-error-twice');
  await until(() => errorsNaming('/on-error-twice').length === 2, 'both were logged');
  t.regex(errorsNaming('/on-error-twice')[0], /WAPIX_INVALID_CHUNK/);
  t.regex(errorsNaming('/on-error-twice')[1], /in onError/);
});

for (const name of ['onError', 'onNotFound']) {
  test(`${name} is a function`, (t) => {
    return t.throwsAsync(() => serve(t, {}, { [name]: 'x' }), {
      code: 'WAPIX_INVALID_OPTION',
      message: new RegExp(name),
    });
  });
}
