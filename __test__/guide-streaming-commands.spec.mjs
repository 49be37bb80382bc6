// The streaming guide: behind a proxy, with curl and with Node's test runner.

import { readFileSync } from 'node:fs';
import { project } from './fixtures/project.mjs';
import { listeners, runsEveryBlock, shows, UPLOADS } from './helpers/guide-streaming.mjs';
import { FILES } from './helpers/guide-streaming-app.mjs';
import { startNginx } from './helpers/nginx.mjs';
import { start } from './helpers/program.mjs';
import { lastingPort } from './helpers/server.mjs';

const NGINX = '/etc/nginx/conf.d/app.conf';

/** The guide's configuration run by nginx, in front of `app`; returns its origin. */
async function nginx(t, app, config) {
  const port = lastingPort();
  const server = config
    .replace('listen 80;', `listen 127.0.0.1:${port};`)
    .replace('127.0.0.1:3000', `127.0.0.1:${app.port}`);
  await startNginx(t, app.root, server, port);
  return `http://127.0.0.1:${port}`;
}

for (const [title, path, disable] of [
  ['nginx passes events on one by one, as configured', '/events', (config) => config],
  [
    'nginx: X-Accel-Buffering does the same for one response',
    '/news',
    // Over HTTP/1.0: there nginx holds back what it may.
    (config) => config.replace(/proxy_(buffering|http_version) [^;]*;/g, ''),
  ],
]) {
  const passes = async (t, app) => {
    t.regex(FILES[NGINX], /proxy_pass http:\/\/127\.0\.0\.1:3000;[^}]*proxy_buffering off;/);
    const origin = await nginx(t, app, disable(FILES[NGINX]));
    const client = start(t, 'curl', ['-q', '-sSN', '--noproxy', '*', origin + path]);
    if (path === '/news') await app.state(listeners(1));
    for (const text of ['one', 'two']) {
      await app.post('/news', { text });
      if (path === '/news') await client.printed(new RegExp(`data: "${text}"\n\n`));
    }
    if (path === '/events') await client.printed(/^(data: \S+Z\n\n){3}/);
    client.child.kill('SIGINT');
  };
  shows(title, [NGINX], passes, ['nginx', 'curl']);
}

/** What each command is seen to do. */
const COMMANDS = {
  'curl -N http://localhost:3000/events': (_t, curl) =>
    curl.printed(/^data: \S+Z\n\ndata: \S+Z\n\n/),
  'curl http://localhost:3000/news --json \'{"text": "hello"}\'': async (t, curl, app) => {
    t.is((await curl.exit()).code, 0, curl.stderr);
    const client = await app.open('/news', { 'last-event-id': '0' });
    await client.through('data: "hello"\n\n');
  },
  "curl -N http://localhost:3000/news -H 'Last-Event-ID: 0'": async (_t, curl, app) => {
    await app.post('/news', { text: 'kept' });
    await curl.printed(/^id: \d+\ndata: "kept"\n\n/m);
  },
  'curl -I http://localhost:3000/files/notes.txt': async (t, curl) => {
    t.is((await curl.exit()).code, 0, curl.stderr);
    t.regex(curl.stdout, /^HTTP\/1.1 200 OK\r\n[\s\S]*content-length: 28\r\n/);
  },
  'curl -O http://localhost:3000/files/notes.txt': async (t, curl, app) => {
    t.is((await curl.exit()).code, 0, curl.stderr);
    t.is(readFileSync(app.path('notes.txt'), 'utf8'), UPLOADS['uploads/notes.txt']);
  },
  'curl -C - -O http://localhost:3000/videos/talk.mp4': async (t, curl, app) => {
    t.is((await curl.exit()).code, 0, curl.stderr);
    t.regex(curl.stderr, /Resuming transfer from byte position 8/);
    t.is(readFileSync(app.path('talk.mp4'), 'utf8'), UPLOADS['uploads/talk.mp4']);
  },
  'curl -r 6-10 http://localhost:3000/videos/talk.mp4': async (t, curl) => {
    t.is((await curl.exit()).code, 0, curl.stderr);
    t.is(curl.stdout, 'ce of');
  },
  'curl http://localhost:3000/orders.csv | head -3': async (t, curl) => {
    await curl.exit();
    t.is(
      curl.stdout,
      'id,customer,total\r\n1,"Zoë ""Zo"" Ek",0.25\r\n2,"Smith, Sons & Co",0.5\r\n',
    );
  },
  'curl -N http://localhost:3000/answers --json \'{"question": "why?"}\'': (_t, curl) =>
    curl.printed(/^data: \{"token":"You "\}\n\n[\s\S]*"why\? "\}\n\n$/),
  'curl -N --limit-rate 100k http://localhost:3000/orders': (_t, curl) =>
    curl.printed(/^(\{.*\}\n){1000}/),
};

for (const [command, look] of Object.entries(COMMANDS)) {
  shows(
    `$ ${command}`,
    [command],
    async (t, app) => {
      // The one process that a kill at the end of the test is to reach.
      const line = command
        .replace('http://localhost:3000', app.origin)
        .replace('curl', 'exec curl');
      // As nobody has configured curl, and past any proxy.
      const env = { ...process.env, CURL_HOME: app.root, HOME: app.root, NO_PROXY: '*' };
      const curl = start(t, 'bash', ['-c', line], { cwd: app.root, env });
      await look(t, curl, app);
      curl.child.kill('SIGINT');
    },
    ['bash', 'curl'],
  );
}

const NODE_TEST = 'test/events.test.mjs';

shows('$ node --test', [NODE_TEST], async (t) => {
  const { root } = project(t, { [NODE_TEST]: FILES[NODE_TEST] });
  const { NODE_OPTIONS: _, ...env } = process.env;
  const node = start(t, process.execPath, ['--test'], { cwd: root, env });
  t.is((await node.exit()).code, 0, node.stdout);
  t.regex(node.stdout, /pass 1\n/);
});

runsEveryBlock('commands');
