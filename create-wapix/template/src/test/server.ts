import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const WAPIX = 'node_modules/wapix/bin/wapix.js';

/** Starts the app as `start` does, on a port that is free. */
export async function startServer() {
  const args = [WAPIX, 'start', '--port', '0', '--host', '127.0.0.1'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const stop = async () => {
    child.kill();
    await once(child, 'exit');
  };
  for await (const line of createInterface(child.stdout)) {
    const [origin] = /http:\S+/.exec(line) ?? [];
    if (origin) return { origin, stop };
  }
  throw new Error('The server has ended before it listened.');
}
