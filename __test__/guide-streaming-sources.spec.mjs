// The streaming guide: what may be streamed, and its clean-up.

import { rmSync, truncateSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { within } from './helpers/deadline.mjs';
import { runsEveryBlock, shows, showsAltered, UPLOADS } from './helpers/guide-streaming.mjs';

const GZIP = 'src/routes/log.gz/get.ts';

shows(
  'a file through gzip is whole; left or not asked for, it is closed',
  [GZIP],
  async (t, app) => {
    const { body } = await app.whole('/log.gz');
    t.is(gunzipSync(body).toString(), UPLOADS['app.log']);
    t.is((await app.head('/log.gz')).status, 200);
    await app.idle();

    // Never through before it is left.
    truncateSync(app.path('app.log'), 2 ** 32);
    const client = await app.open('/log.gz');
    await client.head();
    await app.state(({ files }) => files === 1);
    client.reset();
  },
);

showsAltered('a file that is not there fails gzip, too: 500, or incomplete', async (t, app) => {
  const { status, complete } = await app.get('/log.gz');
  t.true(status === 500 || !complete);
  await app.logged(/GET \/log.gz failed: .*ENOENT/);
});

const TAR = 'src/routes/uploads.tar/get.ts';

shows(
  'the output of tar is whole; left or not asked for, tar is killed',
  [TAR],
  async (t, app) => {
    const { path } = app;
    const { body, complete } = await app.get('/uploads.tar');
    t.true(complete);
    for (const part of ['uploads/notes.txt\0', UPLOADS['uploads/notes.txt']]) {
      t.true(body.includes(part));
    }
    app.write('uploads/large', '');
    t.teardown(() => rmSync(path('uploads/large')));
    truncateSync(path('uploads/large'), 2 ** 30);
    t.is((await app.head('/uploads.tar')).status, 200);
    await app.idle();

    const client = await app.open('/uploads.tar');
    await client.head();
    client.stall();
    await app.state(({ processes }) => processes === 1);
    client.reset();
  },
  ['tar'],
);

showsAltered(
  'a tar that fails: 500, or incomplete',
  async (t, app) => {
    const { status, complete } = await app.get('/uploads.tar');
    t.true(status === 500 || !complete);
    await app.logged(/GET \/uploads.tar failed: Error: tar ended with \d/);
  },
  ['tar'],
);

shows(
  'a generator that waits is stopped by the signal',
  ['src/routes/ticks/get.ts'],
  async (t, app) => {
    const client = await app.open('/ticks');
    t.regex(await client.through('\n\n'), /data: \d+\n\n$/);
    client.end();
    await within(app.program.prints(/nobody listens any more/), 'the finally of the generator');
  },
);

showsAltered(
  'a generator is stopped, though nothing comes of what it waits for',
  async (t, app) => {
    const client = await app.open('/ticks');
    t.is((await client.head()).status, 200);
    client.reset();
    await within(app.program.prints(/nobody listens any more/), 'the finally of the generator');
  },
);

runsEveryBlock('sources');
