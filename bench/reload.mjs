// How long `wapix dev` takes from a save to the first answer of the new code, asked for over a new
// connection every few milliseconds.
//
//   node reload.mjs [--routes 3,50] [--saves 50] [--pause 700]
//
// The projects are of TypeScript. Between two saves it waits, as people do: the process that loads the
// next change is made ready in that time.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { median } from './lib/statistics.mjs';

const { values: options } = parseArgs({
  options: {
    routes: { type: 'string', default: '3,50' },
    saves: { type: 'string', default: '50' },
    pause: { type: 'string', default: '700' },
  },
});
const PACKAGE = resolve(import.meta.dirname, '..');
const ASK_EVERY = 4;

const USERS = `export interface User { id: string; name: string }
export const users = new Map<string, User>([['1', { id: '1', name: 'Ada' }]]);
`;

const route = (number) => `import { json, notFound, type RequestHandler } from 'wapix';
import { users } from '../../../users';

const handler: RequestHandler<{ id: string }> = async (req) => {
  const user = users.get(req.params.id);
  return user ? json({ ...user, route: ${number} }) : notFound({ error: 'No such user' });
};

export default handler;
`;

const saved = (save) => `import { text, type RequestHandler } from 'wapix';
import { users } from '../../users';

const save: number = ${save};
const handler: RequestHandler = () => text(String(save + users.size - 1));

export default handler;
`;

for (const count of options.routes.split(',').map(Number)) {
  const times = await measure(count);
  const sorted = times.sort((a, b) => a - b);
  const p95 = sorted[Math.ceil(sorted.length * 0.95) - 1];
  const figures = [median(times), p95, sorted.at(-1)].map(Math.round);
  console.log(
    `${count} routes: median ${figures[0]} ms, p95 ${figures[1]} ms, most ${figures[2]} ms`,
  );
}

async function measure(count) {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'wapix-reload-')));
  const write = (file, content) => {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), content);
  };
  mkdirSync(join(root, 'node_modules'));
  symlinkSync(PACKAGE, join(root, 'node_modules/wapix'));
  write('src/users.ts', USERS);
  write('src/routes/saved/get.ts', saved(0));
  for (let number = 1; number < count; number += 1) {
    write(`src/routes/users${number}/$id/get.ts`, route(number));
  }
  const bin = join(PACKAGE, 'bin/wapix.js');
  const child = spawn(process.execPath, [bin, 'dev', '--port', '0', '--host', '127.0.0.1'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const url = await urlOf(child);
    const times = [];
    for (let save = 1; save <= Number(options.saves); save += 1) {
      await setTimeout(Number(options.pause));
      const before = performance.now();
      write('src/routes/saved/get.ts', saved(save));
      while ((await ask(url)) !== String(save)) await setTimeout(ASK_EVERY);
      times.push(performance.now() - before);
    }
    return times;
  } finally {
    child.kill('SIGTERM');
    await once(child, 'exit');
    rmSync(root, { recursive: true });
  }
}

async function urlOf(child) {
  for await (const line of createInterface(child.stdout)) {
    const url = /^ {2}(http:\S+)$/.exec(line)?.[1];
    if (url) {
      child.stdout.resume();
      return url;
    }
  }
  throw new Error('wapix dev has not begun to listen');
}

async function ask(url) {
  const response = await fetch(`${url}/saved`, { headers: { connection: 'close' } });
  return response.text();
}
