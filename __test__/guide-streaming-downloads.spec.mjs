// The streaming guide: downloads, whole and in part.

import { rmSync, truncateSync } from 'node:fs';
import { once } from './helpers/events.mjs';
import {
  runsEveryBlock,
  shows,
  showsAltered,
  UPLOADS,
  upstream,
} from './helpers/guide-streaming.mjs';

const DOWNLOAD = 'src/routes/files/$name/get.ts';

shows('a download has its length and its name, and is read by Rust', [DOWNLOAD], async (t, app) => {
  const name = "it's “é” (日本) 100%!.txt";
  app.write(`uploads/${name}`, 'content');
  t.teardown(() => rmSync(app.path(`uploads/${name}`)));

  const target = `/files/${encodeURIComponent(name)}`;
  const file = await app.get(target);
  t.is(file.text, 'content');
  t.is(file.field('content-type'), 'application/octet-stream');
  t.is(file.field('content-length'), '7');
  // RFC 8187: attr-char, or a percent-encoded byte.
  const [, encoded] = /^attachment; filename\*=UTF-8''([\w!#$&+.^`|~%-]*)$/.exec(
    file.field('content-disposition'),
  );
  t.is(decodeURIComponent(encoded), name);
  const { read } = await app.state(({ files }) => files === 0);
  t.deepEqual(read, [false, 7], 'JavaScript read nothing');

  const head = await app.head(target);
  t.is(head.field('content-length'), '7');
  const ranged = await app.get(target, { range: 'bytes=2-3' });
  t.deepEqual([ranged.status, ranged.text], [200, 'content']);
  const missing = await app.get('/files/missing');
  t.deepEqual([missing.status, missing.json], [404, { error: 'There is no file missing' }]);
  for (const path of ['..%2fapp.log', '..%5capp.log', '%2e%2e', 'a%00']) {
    t.is((await app.get(`/files/${path}`)).status, 400, path);
  }
});

shows('a download that is left is closed', [DOWNLOAD], async (t, app) => {
  const { path } = app;
  app.write('uploads/large', '');
  t.teardown(() => rmSync(path('uploads/large')));
  truncateSync(path('uploads/large'), 2 ** 30);
  const client = await app.open('/files/large');
  await client.head();
  client.stall();
  await app.state(({ files }) => files === 1);
  client.reset();
});

const VIDEO = 'src/routes/videos/$name/get.ts';
const NOTES = UPLOADS['uploads/notes.txt'];

shows('a download goes on where it was, with a part of the same file', [VIDEO], async (t, app) => {
  const ask = (headers) => app.get('/videos/notes.txt', headers);
  const whole = await ask();
  const etag = whole.field('etag');
  t.deepEqual([whole.status, whole.text, whole.field('accept-ranges')], [200, NOTES, 'bytes']);

  for (const [range, first, last] of [
    ['0-', 0, 27],
    ['6-10', 6, 10],
    ['20-900', 20, 27],
    ['-9', 19, 27],
    ['-900', 0, 27],
  ]) {
    const part = await ask({ range: `bytes=${range}`, 'if-range': etag });
    const content = NOTES.slice(first, last + 1);
    t.deepEqual([part.status, part.text], [206, content], range);
    t.is(part.field('content-range'), `bytes ${first}-${last}/28`);
    t.is(part.field('content-length'), String(content.length));
    const { read } = await app.state(({ files }) => files === 0);
    t.deepEqual(read, [false, content.length], 'JavaScript read nothing');
  }

  for (const range of ['bytes=28-', 'bytes=-0']) {
    const beyond = await ask({ range });
    t.deepEqual([beyond.status, beyond.field('content-range')], [416, 'bytes */28'], range);
  }
  for (const range of ['bytes=5-2', 'bytes=-', 'bytes=0-1,4-5', 'lines=1-2']) {
    const ignored = await ask({ range });
    t.deepEqual([ignored.status, ignored.text], [200, NOTES], range);
  }
  t.is((await ask({ range: 'bytes=6-', 'if-range': '"another"' })).text, NOTES);
  t.is((await app.head('/videos/notes.txt')).field('content-length'), '28');
});

const MAP = 'src/routes/map/get.ts';

/** Has the upstream answer its next request, and resolves to the response. */
async function answered(answer) {
  const [response] = await once(upstream, 'asked');
  answer(response);
  return response;
}

shows('the body of a fetch is passed on, or the upstream is left', [MAP], async (t, app) => {
  answered((response) => response.writeHead(200, { 'content-type': 'image/png' }).end('the map'));
  const whole = await app.get('/map');
  t.deepEqual([whole.text, whole.field('content-type')], ['the map', 'image/png']);

  answered((response) => response.writeHead(404).end('none'));
  t.is((await app.get('/map')).status, 502);

  for (const begin of [(response) => response.write('half'), () => {}]) {
    const answering = answered(begin);
    const client = await app.open('/map');
    const response = await answering;
    if (response.headersSent) await client.through('half');
    const left = once(response, 'close');
    client.reset();
    await left;
  }
});

showsAltered('an upstream that fails midway: incomplete', async (t, app) => {
  const answering = answered((response) => response.write('half'));
  const client = await app.open('/map');
  await client.through('half');
  (await answering).destroy();
  await client.ended();
  t.is(client.bytes.toString(), '\r\n', 'no last chunk');
  await app.logged(/GET \/map failed/);
});

runsEveryBlock('downloads');
