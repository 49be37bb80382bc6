// `req.signal`, where it is the response that fails, and not the client that leaves.

import test from 'ava';
import { stream } from 'wapix';
import { connect, requestBytes } from './helpers/client.mjs';
import { aborted, deferred } from './helpers/events.mjs';
import { captureErrors } from './helpers/log.mjs';
import { serveGet } from './helpers/server.mjs';
import { manual } from './helpers/source.mjs';

captureErrors();

test('the signal of a stream aborts where the stream fails', async (t) => {
  const given = deferred();
  const source = manual();
  const server = await serveGet(t, (req) => {
    given.resolve([req, req.signal]);
    return stream(source);
  });
  const client = await connect(t, server);
  client.send(requestBytes('GET /'));
  const [req, signal] = await given.promise;
  source.push('begun');
  await client.through('begun');
  t.false(signal.aborted);
  source.destroy(new Error('on purpose'));
  await client.ended();
  await aborted(signal);
  t.is(req.signal, signal);
});

test('a signal first touched after its stream has failed has aborted', async (t) => {
  const given = deferred();
  const source = manual();
  const server = await serveGet(t, (req) => {
    given.resolve(req);
    return stream(source);
  });
  const client = await connect(t, server);
  client.send(requestBytes('GET /'));
  const req = await given.promise;
  source.destroy(new Error('on purpose'));
  await client.response();
  t.true(req.signal.aborted);
});
