import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { within } from './deadline.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A process that runs `source` as a module inside this package. */
class Program {
  stdout = '';
  stderr = '';
  #waiting = new Set();

  constructor(child) {
    this.child = child;
    for (const name of ['stdout', 'stderr']) {
      child[name].setEncoding('utf8').on('data', (text) => {
        this[name] += text;
        for (const look of this.#waiting) look();
      });
    }
    this.exited = new Promise((resolve) => {
      child.on('close', (code, signal) => resolve({ code, signal }));
    });
  }

  /** Resolves to the first match of `pattern` in what the program printed. */
  printed(pattern) {
    let look;
    const found = new Promise((resolve, reject) => {
      look = () => {
        const match = pattern.exec(this.stdout);
        if (match) resolve(match);
      };
      this.#waiting.add(look);
      this.exited.then(({ code, signal }) => {
        const how = `exited with ${code ?? signal}`;
        reject(new Error(`${how} before it printed ${pattern}: ${this.stdout}${this.stderr}`));
      });
      look();
    });
    return within(found, `printing ${pattern}`).finally(() => this.#waiting.delete(look));
  }

  /** How the program ended. */
  exit() {
    return within(this.exited, `the program's exit; it printed ${this.stdout}${this.stderr}`);
  }
}

/** Runs `source`, an ES module, until its end or the test's; with `env` beside the environment of this process. */
export function runProgram(t, source, nodeOptions = [], env = {}) {
  const args = [...nodeOptions, '--input-type=module', '--eval', source];
  return start(t, process.execPath, args, { cwd: ROOT, env: { ...process.env, ...env } });
}

/** Starts a command until its end or the test's. */
export function start(t, command, args, options) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  t.teardown(() => child.kill('SIGKILL'));
  return new Program(child);
}
