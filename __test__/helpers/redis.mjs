import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { createServer } from 'node:tls';
import { REDIS } from './certificate.mjs';
import { once, until } from './events.mjs';
import { installed } from './installed.mjs';

const answers = (path) =>
  new Promise((resolve) => {
    const socket = connect(path, () => socket.write('PING\r\n'));
    socket.on('data', (data) => resolve(`${data}`.startsWith('+PONG')) ?? socket.destroy());
    socket.on('error', () => resolve(false));
  });

/** The answer to an inline command. */
async function askOnce(path, command) {
  const socket = connect(path);
  socket.write(`${command}\r\nQUIT\r\n`);
  return readText(socket);
}

/** A Redis of the test's own, which keeps every write; to be stopped and started again. */
export async function startRedis(t) {
  const program = installed('redis-server');
  if (program === undefined)
    throw new Error('there is no redis-server: apt-get install redis-server');
  const folder = await mkdtemp(join(tmpdir(), 'wapix-redis-'));
  const path = join(folder, 'socket');
  const options = {
    port: 0,
    unixsocket: path,
    dir: folder,
    appendonly: 'yes',
    appendfsync: 'always',
  };
  const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, `${value}`]);
  let child;
  const redis = {
    path,
    url: `unix://${path}`,
    async start(...more) {
      child = spawn(program, [...flags, ...more], { stdio: 'ignore' });
      await until(() => answers(path), 'Redis answers');
    },
    /** What it answers to a command: the words of one line. */
    ask: (...words) => askOnce(path, words.join(' ')),
    /** What is sent to it then arrives, and is not answered. */
    stall: () => child.kill('SIGSTOP'),
    resume: () => child.kill('SIGCONT'),
    async kill() {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
    /** What it has written is gone: it is to be started empty. */
    forget: () => rm(join(folder, 'appendonlydir'), { recursive: true }),
  };
  t.teardown(async () => {
    if (child.exitCode === null && child.signalCode === null) await redis.kill();
    await rm(folder, { recursive: true });
  });
  await redis.start();
  return redis;
}

/** The address of the same Redis over TLS, as `localhost`. */
export async function overTls(t, { path }) {
  const { key, cert } = REDIS;
  const sockets = new Set();
  const server = createServer({ key, cert }, (near) => {
    const far = connect(path);
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) sockets.add(socket.on('error', () => socket.destroy()));
  });
  // Of who does not trust the certificate.
  server.on('tlsClientError', () => {});
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server.listen(0, 'localhost'), 'listening');
  return `rediss://localhost:${server.address().port}`;
}
