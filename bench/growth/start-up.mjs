// From the start of the process to the first answer.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ask } from './answer.mjs';

const script = (name) => [join(import.meta.dirname, 'servers', `${name}.mjs`)];

const COMMANDS = {
  wapix: script('wapix'),
  'wapix-in-loop': script('wapix'),
  // Routes of plain JavaScript, as a compiler leaves them.
  'wapix-start': [
    join(import.meta.dirname, '../../bin/wapix.js'),
    ...['start', '--port', '0', '--host', '127.0.0.1'],
    ...['--routes', join(import.meta.dirname, 'project/lib/routes')],
  ],
  'node-http': script('node-http'),
  fastify: script('fastify'),
};

/** The servers print the port, `wapix start` its routes and a URL that ends with it. */
const PORT = /^(?:\s*http:.*:)?(\d+)$/;

export async function measureStartUp(name) {
  const before = performance.now();
  const child = spawn(process.execPath, COMMANDS[name], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, BENCH_IO_THREADS: name === 'wapix-in-loop' ? '0' : '1' },
  });
  try {
    for await (const line of createInterface(child.stdout)) {
      const port = PORT.exec(line)?.[1];
      if (!port) continue;
      await ask(Number(port));
      return { milliseconds: performance.now() - before };
    }
    throw new Error(`${name} has not begun to listen`);
  } finally {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
}
