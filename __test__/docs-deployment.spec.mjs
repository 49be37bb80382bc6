// What the page on deployment has one write is what nginx, Kubernetes and wapix read.

import { fileURLToPath } from 'node:url';
import test from 'ava';
import { load } from 'js-yaml';
import { bodyOf, wapix } from './fixtures/cli.mjs';
import { project } from './fixtures/project.mjs';
import { needing } from './helpers/installed.mjs';
import { startNginx } from './helpers/nginx.mjs';
import { pages } from './helpers/pages.mjs';
import { start } from './helpers/program.mjs';
import { lastingPort } from './helpers/server.mjs';

const { blocks } = pages().find(({ name }) => name === 'docs/guide/deployment');
const the = (kind) => blocks.find(({ language }) => language === kind).source;
const routes = Object.fromEntries(
  blocks.filter(({ path }) => path?.endsWith('.ts')).map(({ path, source }) => [path, source]),
);
const fixture = (name) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

const CLIENT = `
  import { json } from 'wapix';
  export default (req) => json({ ip: req.ip, protocol: req.protocol, host: req.headers.host });`;

/** The second event comes when somebody asks for it. */
const EVENTS = `
  import { once } from 'node:events';
  import { stream } from 'wapix';
  import { bus } from '../../bus.mjs';
  async function* events() {
    yield 'data: one\\n\\n';
    await once(bus, 'next');
    yield 'data: two\\n\\n';
  }
  export default () => stream(events(), 'text/event-stream');`;

const NEXT = `
  import { noContent } from 'wapix';
  import { bus } from '../../bus.mjs';
  export default () => noContent(void bus.emit('next'));`;

needing(
  test,
  'nginx',
  'curl',
)('nginx: who asked is known, events come one by one, large bodies are refused', async (t) => {
  const { root, path, write } = project(t, {
    'src/bus.mjs':
      "import { EventEmitter } from 'node:events';\nexport const bus = new EventEmitter();",
    'src/routes/client/get.mjs': CLIENT,
    'src/routes/events/get.mjs': EVENTS,
    'src/routes/next/post.mjs': NEXT,
  });
  const where = ['--port', '0', '--host', '127.0.0.1', '--trust-proxy', 'loopback'];
  const server = wapix(t, root, ['start', ...where]);
  const { port } = new URL(await server.url());
  const proxy = lastingPort();
  const config = the('nginx')
    .replace('listen 443 ', `listen 127.0.0.1:${proxy} `)
    .replace('127.0.0.1:3000', `127.0.0.1:${port}`)
    .replace('/etc/ssl/example.org.pem', fixture('localhost.cert.pem'))
    .replace('/etc/ssl/example.org.key', fixture('localhost.key.pem'));
  await startNginx(t, root, config, proxy);
  const curl = (at, ...args) => {
    const target = [
      '--resolve',
      `example.org:${proxy}:127.0.0.1`,
      `https://example.org:${proxy}${at}`,
    ];
    return start(t, 'curl', ['-q', '-sSkN', '--noproxy', '*', ...args, ...target]);
  };

  const client = curl('/client', '-H', 'X-Forwarded-For: 203.0.113.9');
  t.is((await client.exit()).code, 0, client.stderr);
  t.deepEqual(JSON.parse(client.stdout), {
    ip: '203.0.113.9',
    protocol: 'https',
    host: 'example.org',
  });

  const events = curl('/events', '--http2', '-i');
  await events.printed(/^HTTP\/2 200 [\s\S]*data: one\n\n$/);
  t.is((await curl('/next', '-X', 'POST').exit()).code, 0);
  await events.printed(/data: two\n\n$/);
  t.is((await events.exit()).code, 0, events.stderr);

  write('large', 'a'.repeat(2 ** 20 + 1));
  const large = curl('/next', '-w', '%{http_code}', '--data-binary', `@${path('large')}`);
  await large.exit();
  t.regex(large.stdout, /413$/);
});

test('Kubernetes: the manifest starts wapix, and its probes are answered', async (t) => {
  const { spec } = load(the('yaml'));
  const { terminationGracePeriodSeconds: grace, containers } = spec.template.spec;
  t.deepEqual(spec.selector.matchLabels, spec.template.metadata.labels);
  const [{ args, ports, readinessProbe, livenessProbe, lifecycle }] = containers;
  const [program, ...options] = args;
  t.is(program, 'node_modules/.bin/wapix');
  const [, sleep] = lifecycle.preStop.exec.command;
  t.true(Number(sleep) + Number(options.at(-1)) / 1_000 < grace);

  const { root } = project(t, routes);
  const run = wapix(t, root, options, { PORT: '0' });
  const url = await run.url();
  const probes = [
    [readinessProbe, 'ok\n'],
    [livenessProbe, 'alive'],
  ];
  for (const [{ httpGet }, answer] of probes) {
    t.is(httpGet.port, ports[0].containerPort);
    t.is(await bodyOf(url + httpGet.path), answer);
  }
});

test('systemd: the service starts wapix as it is installed', async (t) => {
  const unit = Object.fromEntries(
    the('ini')
      .split('\n')
      .filter((line) => /^\w+=/.test(line))
      .map((line) => line.split(/=(.*)/)),
  );
  const [program, script, ...options] = unit.ExecStart.split(' ');
  t.is(program, '/usr/bin/node');
  t.true(Number(unit.TimeoutStopSec) > 10);
  const environment = unit.Environment.split(' ').map((pair) => pair.split('='));
  const { root } = project(t, routes);
  const run = start(t, process.execPath, [script, ...options], {
    cwd: root,
    env: { ...process.env, ...Object.fromEntries(environment), PORT: '0' },
  });
  const [, url] = await run.printed(/^ {2}(http:\S+)$/m);
  t.is(await bodyOf(`${url}/healthz`), 'ok\n');
  run.child.kill('SIGTERM');
  t.is((await run.exit()).code, 0);
});
