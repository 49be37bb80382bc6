import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { wapix } from '../fixtures/cli.mjs';
import { project } from '../fixtures/project.mjs';
import { connect, request, requestBytes } from './client.mjs';
import { within } from './deadline.mjs';
import { fencedBlocks } from './printed.mjs';
import { start } from './program.mjs';

const GUIDE = new URL('../../docs/guide/streaming.md', import.meta.url);
/** Every fenced block of the streaming guide. */
export const BLOCKS = fencedBlocks(readFileSync(GUIDE, 'utf8'));
/** Those that are files, by their path. */
export const FILES = Object.fromEntries(
  BLOCKS.filter(({ path }) => path).map(({ path, source }) => [path, source]),
);
const TYPESCRIPT = Object.fromEntries(
  Object.entries(FILES).filter(([path]) => path.endsWith('.ts')),
);
const TSC = createRequire(import.meta.url).resolve('typescript/bin/tsc');
const TYPE_ROOTS = fileURLToPath(new URL('../../node_modules/@types', import.meta.url));

// ---- Servers of what is printed

/** Loaded first: keeps the file streams that were opened, and has intervals pass 50 times as fast. */
const PRELOAD = `
  const fs = require('node:fs');
  const { createReadStream } = fs;
  globalThis.opened = [];
  fs.createReadStream = (...args) => {
    const file = createReadStream(...args);
    opened.push(file);
    return file;
  };
  require('node:module').syncBuiltinESMExports();
  const { setInterval } = globalThis;
  globalThis.setInterval = (call, ms) => setInterval(call, ms / 50);
`;

/** A route of ours: what is in use in the server's process. */
const STATE = `
  import { json } from 'wapix';
  import { jobs } from '../../jobs';
  import { bus } from '../../news';

  const count = (name) => process.getActiveResourcesInfo().filter((it) => it === name).length;

  export default () =>
    json({
      timers: count('Timeout'),
      processes: count('ProcessWrap'),
      files: opened.filter((file) => !file.closed).length,
      listeners: bus.listenerCount('news'),
      watchers: [...jobs.values()].reduce((sum, job) => sum + job.listenerCount('change'), 0),
      pages: globalThis.pages ?? 0,
      /** Of the last file: whether JavaScript read it, and how much was read. */
      read: opened.slice(-1).map((file) => [file.readableDidRead, file.bytesRead])[0],
    });
`;

/** Of the state, what must be no more than before when nobody is there any more. */
const IN_USE = ['timers', 'processes', 'files', 'listeners', 'watchers'];

/** Serves the guide's routes, with `files` instead of, or beside, what it prints. */
export async function serve(t, files, { type = 'module', env = {} } = {}) {
  const { root, path, write } = project(t, {
    ...TYPESCRIPT,
    'src/routes/state/get.ts': STATE,
    ...files,
    'package.json': JSON.stringify({ type }),
    'preload.cjs': PRELOAD,
  });
  const NODE_OPTIONS = `--require ${JSON.stringify(path('preload.cjs'))}`;
  const args = ['start', '--routes', 'src/routes', '--port', '0', '--host', '127.0.0.1'];
  const program = wapix(t, root, args, { NODE_OPTIONS, ...env });
  const origin = await within(program.url(), 'the URL of the server', 30_000);
  const { hostname, port } = new URL(origin);
  const server = { address: () => ({ address: hostname, port: Number(port) }) };
  const app = { root, path, write, program, origin, port, server };
  app.before = (await request(t, server, 'GET /state')).json;
  return app;
}

/** What a test does with a server. */
export class Visit {
  #t;
  #clients = [];

  constructor(t, app) {
    this.#t = t;
    Object.assign(this, app);
  }

  get(path, headers) {
    return request(this.#t, this.server, `GET ${path}`, headers);
  }

  /** A large body, and the fields of its head; rejects where it is incomplete. */
  async whole(path) {
    const response = await within(fetch(this.origin + path), `the head of ${path}`);
    const body = Buffer.from(await within(response.arrayBuffer(), `the body of ${path}`));
    return { body, text: body.toString(), field: (name) => response.headers.get(name) };
  }

  head(path) {
    return request(this.#t, this.server, `HEAD ${path}`);
  }

  post(path, data) {
    const type = { 'content-type': 'application/json' };
    return request(this.#t, this.server, `POST ${path}`, type, JSON.stringify(data));
  }

  /** A client that has sent a request. */
  async open(path, headers) {
    const client = await connect(this.#t, this.server);
    this.#clients.push(client);
    return client.send(requestBytes(`GET ${path}`, headers));
  }

  /** Asks what is in use until `isSo`. */
  state(isSo) {
    let last;
    const asking = (async () => {
      do last = (await this.get('/state')).json;
      while (!isSo(last));
      return last;
    })();
    return within(asking, `${isSo}`).catch((error) => {
      throw new Error(`${error.message}; it was ${JSON.stringify(last)}`);
    });
  }

  /** Resolves when nothing is in use, as before anybody came. */
  idle() {
    return this.state((now) => IN_USE.every((name) => now[name] <= this.before[name]));
  }

  /** Resolves once the server has logged a match of `pattern`. */
  logged(pattern) {
    return within(this.program.prints(pattern, 'stderr'), `${pattern} in the log`);
  }

  leave() {
    for (const client of this.#clients) client.reset();
  }
}

/** A file of the guide with a part of it replaced. */
export function altered(path, ...replacements) {
  const source = replacements.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`${path} has no ${from}`);
    return text.replace(from, to);
  }, FILES[path]);
  return { [path]: source };
}

/** Checks the TypeScript of the guide, and a file that is wrong, as the check must see types. */
export function check(t, { type, ...options }) {
  const { root } = project(t, {
    ...TYPESCRIPT,
    'src/routes/wrong/get.ts': "import { stream } from 'wapix';\nexport default () => stream(7);\n",
    'package.json': JSON.stringify({ type }),
    'tsconfig.json': JSON.stringify({
      compilerOptions: {
        target: 'es2023',
        strict: true,
        noEmit: true,
        skipLibCheck: true,
        types: ['node'],
        typeRoots: [TYPE_ROOTS],
        ...options,
      },
      include: ['src'],
    }),
  });
  return start(t, process.execPath, [TSC, '-p', root], { cwd: root });
}
