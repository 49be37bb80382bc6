// Processes that answer questions, and report trouble unasked.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const EXIT_WITHIN = 20_000;

/** Starts `<name>.mjs`. `onTrouble` is told of whatever it reports, prints to stderr, or dies of. */
export function start(name, onTrouble, execArgv = []) {
  const child = fork(join(import.meta.dirname, `${name}.mjs`), {
    execArgv,
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  });
  const waiting = new Map();
  let lastId = 0;
  let leaving = false;
  child.stderr.setEncoding('utf8').on('data', (text) => onTrouble(name, text));
  child.on('message', ({ id, answer, trouble }) => {
    if (trouble !== undefined) onTrouble(name, trouble);
    waiting.get(id)?.resolve(answer);
    waiting.delete(id);
  });
  const exited = once(child, 'exit');
  exited.then(([code, signal]) => {
    if (leaving && code === 0) return;
    onTrouble(name, `exited with ${code ?? signal}`);
    for (const { reject } of waiting.values()) reject(new Error(`${name} is gone`));
  });
  process.on('exit', () => child.kill('SIGKILL'));
  return {
    pid: child.pid,
    ask(question, value) {
      const id = ++lastId;
      child.send({ id, question, value });
      return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
    },
    /** Nothing is left to do: it has to end by itself. */
    async leave() {
      leaving = true;
      child.disconnect();
      await exited;
    },
  };
}

/** In the child: answers what it is asked, by the question's name. */
export function answer(answers) {
  // Nobody asks any more: whatever keeps it running is not to.
  process.on('disconnect', () => setTimeout(() => process.exit(1), EXIT_WITHIN).unref());
  process.on('message', async ({ id, question, value }) => {
    process.send({ id, answer: await answers[question](value) });
  });
}

/** In the child: tells of trouble. */
export function report(what, error) {
  process.send({ trouble: `${what}: ${describe(error)}` });
}

function describe(error) {
  const text = String(error?.stack ?? error);
  return error?.cause ? `${text}\n  cause: ${describe(error.cause)}` : text;
}

/** In the child: what nobody caught is trouble, and no reason to end. */
export function reportUncaught() {
  for (const event of ['warning', 'uncaughtException', 'unhandledRejection']) {
    process.on(event, (error) => report(event, error));
  }
}
