/**
 * Runs the chat: a Redis of its own and two instances of the server, until Ctrl-C ends them all. An instance that
 * is killed is started again, on its port.
 *
 * `PORT` is that of the first instance (3000; 0 for free ones); the second has the next. With `REDIS_URL`, that
 * Redis is used.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const WAPIX = fileURLToPath(new URL('../../bin/wapix.js', import.meta.url));
const ROUTES = fileURLToPath(new URL('src/routes', import.meta.url));
const HOST = '127.0.0.1';

/** In the order in which they are stopped. */
const running = { instances: new Set(), redis: undefined, folder: undefined };
let isStopping = false;

process.on('SIGINT', () => stop(0));
process.on('SIGTERM', () => stop(0));
process.on('SIGHUP', () => stop(0));

async function stop(code) {
  if (isStopping) return;
  isStopping = true;
  await Promise.all([...running.instances].map(end));
  if (running.redis) await end(running.redis);
  if (running.folder) rmSync(running.folder, { recursive: true, force: true });
  process.exit(code);
}

async function end(child) {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill();
  await exited;
}

function fail(message) {
  if (!isStopping) console.error(message);
  return stop(1);
}

/** A child that Ctrl-C does not reach: `stop` says when it ends. */
const run = (command, args, options) => spawn(command, args, { detached: true, ...options });

async function freePort() {
  const server = createServer().listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts a Redis, and resolves with its URL. */
async function startRedis() {
  const port = await freePort();
  running.folder = mkdtempSync(join(tmpdir(), 'wapix-chat-'));
  const args = [
    '--port',
    `${port}`,
    '--bind',
    HOST,
    '--dir',
    running.folder,
    '--appendonly',
    'yes',
  ];
  const child = run('redis-server', args, { stdio: 'ignore' });
  const failed = new Promise((_, reject) => {
    child.on('error', (error) => reject(error));
    child.on('exit', (code) => reject(new Error(`redis-server has ended, with ${code}`)));
  });
  running.redis = child;
  await Promise.race([answers(port), failed]);
  failed.catch((error) => fail(error.message));
  return `redis://${HOST}:${port}`;
}

async function answers(port) {
  while (!isStopping) {
    const isThere = await new Promise((resolve) => {
      const socket = connect(port, HOST, () => socket.write('PING\r\n'));
      socket.on('data', (data) => resolve(`${data}`.startsWith('+PONG')) ?? socket.destroy());
      socket.on('error', () => resolve(false));
    });
    if (isThere) return;
    await setTimeout(20);
  }
}

/** Starts an instance, again whenever it is killed, and resolves with its port once it listens there. */
async function startInstance(name, port, redisUrl) {
  if (isStopping) return;
  const args = [WAPIX, 'start', '--routes', ROUTES, '--host', HOST, '--port', `${port}`];
  const child = run(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, REDIS_URL: redisUrl, INSTANCE: name },
  });
  running.instances.add(child);
  const exited = once(child, 'exit').then(() => void running.instances.delete(child));
  const url = await Promise.race([printedUrl(child), exited]);
  if (url === undefined) return fail(`Instance ${name} has ended before it listened`);
  console.log(`  ${url}/rooms/lobby  (instance ${name}, process ${child.pid})`);
  const its = Number(new URL(url).port);
  exited.then(() => startInstance(name, its, redisUrl));
  return its;
}

function printedUrl(child) {
  return new Promise((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [, url] = /^ {2}(http:\S+)$/.exec(line) ?? [];
      if (url) resolve(url);
    });
  });
}

async function findRedis() {
  try {
    return process.env.REDIS_URL ?? (await startRedis());
  } catch (error) {
    const isMissing = error.code === 'ENOENT';
    await fail(
      isMissing
        ? 'There is no redis-server here. Install it (apt-get install redis-server, brew install redis), ' +
            'version 7 or newer, or say where one is: REDIS_URL=redis://host:6379'
        : error.message,
    );
  }
}

const redisUrl = await findRedis();
const first = Number(process.env.PORT ?? 3000);
await startInstance('1', first, redisUrl);
await startInstance('2', first && first + 1, redisUrl);
