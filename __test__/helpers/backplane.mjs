import { fork } from 'node:child_process';
import { join } from 'node:path';
import { once } from './events.mjs';

const APP = join(import.meta.dirname, 'backplane-app.mjs');
const KILLED = { error: 'killed' };

/** A process that serves the channel of `backplane-app.mjs`, and publishes what it is asked to. */
export async function startApp(t, settings, env = {}) {
  const child = fork(APP, [JSON.stringify(settings)], {
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    env: { ...process.env, ...env },
  });
  let address;
  const pending = new Map();
  let calls = 0;
  const app = {
    isRunning: true,
    /** What it printed of errors. */
    stderr: '',
    address: () => address,
    ask(what, data) {
      const call = calls++;
      const answered = new Promise((resolve) => pending.set(call, resolve));
      // Where it is not there any more, its end is the answer.
      if (app.isRunning) child.send({ call, what, data }, () => {});
      else pending.get(call)(KILLED);
      return answered;
    },
    publish: (data) => app.ask('publish', data),
    async stop() {
      if (!app.isRunning) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
  t.teardown(app.stop);
  child.stderr.setEncoding('utf8').on('data', (text) => {
    app.stderr += text;
  });
  child.once('exit', () => {
    app.isRunning = false;
    for (const resolve of pending.values()) resolve(KILLED);
  });
  [address] = await once(child, 'message');
  child.on('message', ({ call, answer }) => {
    pending.get(call)(answer);
    pending.delete(call);
  });
  return app;
}
