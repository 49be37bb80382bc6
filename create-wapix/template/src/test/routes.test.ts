import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startServer } from './server.js';

let server: Awaited<ReturnType<typeof startServer>>;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

test('the page', async () => {
  const response = await fetch(`${server.origin}/`);
  assert.equal(response.headers.get('content-type'), 'text/html; charset=utf-8');
  assert.match(await response.text(), /{{name}}/);
});

test('a parameter', async () => {
  const response = await fetch(`${server.origin}/hello/Ada`);
  assert.deepEqual(await response.json(), { hello: 'Ada' });
});

test('an event stream', async () => {
  const leaving = new AbortController();
  const response = await fetch(`${server.origin}/events`, { signal: leaving.signal });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = (await reader?.read()) ?? {};
  assert.match(value ?? '', /^data: \d{4}-.*\n\n$/);
  leaving.abort();
});
