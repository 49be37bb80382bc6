import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TOOLS = join(ROOT, 'matrix/node_modules');
const MINUTE = 60_000;

// npm hands its scripts its own settings, which are not for other package managers.
const clean = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(npm_|PORT$|WAPIX_)/i.test(name)),
);

/** A Node of a major version, of those in package.json. */
export function node(major) {
  return tool(`node-${major}/bin/node`);
}

/** A tool of package.json, that brings a program of its own or runs in the Node that is asked for. */
export function tool(path) {
  return join(TOOLS, path);
}

/** A directory that goes with this process. */
export function scratch() {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'wapix-matrix-')));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

// They keep what they have fetched by name and version, or by the address of a registry that was another.
const caches = scratch();

/** A project in a directory of its own, in which commands run with a Node. */
export class Project {
  constructor(major, files) {
    this.root = scratch();
    this.node = node(major);
    this.env = {
      ...clean,
      PATH: [dirname(this.node), clean.PATH].join(delimiter),
      npm_config_cache: join(caches, 'npm'),
      XDG_CACHE_HOME: join(caches, 'xdg'),
      YARN_GLOBAL_FOLDER: join(caches, 'yarn'),
      YARN_ENABLE_TELEMETRY: '0',
    };
    this.write(files);
  }

  write(files) {
    for (const [name, content] of Object.entries(files)) {
      const file = resolve(this.root, name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
    }
  }

  /** Runs a command to its end: what it prints where it succeeds, an error with that where not. */
  async run(words, env) {
    const command = this.#start(words, env, 4 * MINUTE);
    const code = await command.exit;
    if (code === 0) return command.stdout;
    throw new Error(`${words.join(' ')}: ended with ${code}\n${command.printed}`);
  }

  /** Runs a command that serves, has `use` ask at its URL, and wants it to end well after SIGTERM. */
  async serving(words, env, use) {
    const command = this.#start(words, env, MINUTE);
    try {
      const origin = await Promise.race([command.url, command.exit]);
      if (!String(origin).startsWith('http')) throw new Error(`ended with ${origin}`);
      await use(origin);
      process.kill(-command.child.pid, 'SIGTERM');
      const code = await command.exit;
      // npx ends with the signal itself. Others hand on one that wapix has had already, and a second one
      // ends it at once, with 143.
      const isByManager = words[0] === 'npx' ? code === 'SIGTERM' : code === 143;
      if (code !== 0 && !isByManager) throw new Error(`ended with ${code} after SIGTERM`);
    } catch (error) {
      throw new Error(`${words.join(' ')}: ${error.message}\n${command.printed}`);
    } finally {
      command.kill();
    }
  }

  #start([program, ...args], env, timeout) {
    const options = { cwd: this.root, env: { ...this.env, ...env }, detached: true };
    const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    const command = { child, stdout: '', printed: '' };
    // With all that it started: a package manager does not always hand signals on.
    command.kill = () => {
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {} // All have ended.
    };
    const late = setTimeout(command.kill, timeout);
    command.exit = new Promise((ended, failed) => {
      child.once('error', failed);
      child.once('close', (code, signal) => ended(code ?? signal));
    }).finally(() => clearTimeout(late));
    command.exit.catch(() => {});
    command.url = new Promise((found) => {
      for (const name of ['stdout', 'stderr']) {
        child[name].setEncoding('utf8').on('data', (text) => {
          if (name === 'stdout') command.stdout += text;
          command.printed += text;
          const [url] = /http:\/\/\S+(?=\n)/.exec(command.printed) ?? [];
          if (url) found(url);
        });
      }
    });
    return command;
  }
}
