// The clients, in processes of their own.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const native = join(import.meta.dirname, 'native');

/** Builds the clients, and what only sends. */
export function build() {
  const { status } = spawnSync('cargo', ['build', '--release', '--locked', '--quiet'], {
    cwd: native,
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error('bench/channels/native cannot be built');
}

/** So many subscribers of the server at `port`, once all have been answered. */
export async function subscribe(port, count) {
  const child = spawn(join(native, 'target/release/subscribers'), [port, count], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const line = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error('the subscribers have ended');
    return value;
  };
  await line();
  return {
    /** What has come since this was asked last; times are in microseconds. */
    async counted() {
      child.stdin.write('\n');
      const counted = JSON.parse(await line());
      if (counted.repeated + counted.missing > 0) {
        throw new Error(`events came twice or not at all: ${JSON.stringify(counted)}`);
      }
      return counted;
    },
    async stop() {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}
