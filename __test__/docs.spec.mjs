// What the documentation prints of a terminal is what a terminal prints: the routes of each page are served, and
// its commands run. The streaming guide has tests of its own.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import test from 'ava';
import { wapix } from './fixtures/cli.mjs';
import { project } from './fixtures/project.mjs';
import { within } from './helpers/deadline.mjs';
import { needing } from './helpers/installed.mjs';
import { pages } from './helpers/pages.mjs';

const exec = promisify(execFile);

/** The commands of a block, each with what it prints: `$ command`, then its output. */
function commandsOf({ source }) {
  const parts = source.split(/^\$ (.*)\n/m).slice(1);
  return parts.flatMap((command, at) => (at % 2 === 0 ? [[command, parts[at + 1]]] : []));
}

const isRoute = (path) => path?.startsWith('src/') && path.endsWith('.ts');

for (const { name, blocks } of pages()) {
  const files = blocks
    .filter(({ path }) => isRoute(path))
    .map(({ path, source }) => [path, source]);
  const commands = blocks
    .filter(({ language }) => language === 'console')
    .flatMap(commandsOf)
    .filter(([command]) => command.startsWith('curl '));
  if (files.length === 0) continue;

  needing(test, 'curl')(
    `${name}: its routes are served, its commands print what it says`,
    async (t) => {
      const { root } = project(t, {
        'package.json': '{"type":"module"}',
        ...Object.fromEntries(files),
      });
      const server = wapix(t, root, ['start', '--port', '0', '--host', '127.0.0.1']);
      const origin = await within(server.url(), `the URL of ${name}`);
      for (const [command, printed] of commands) {
        const words = command.replaceAll('http://localhost:3000', origin);
        const { stdout } = await exec('sh', [
          '-c',
          words.replace(/^curl /, 'curl -sS --max-time 10 '),
        ]);
        t.is(stdout.trimEnd(), printed.trimEnd(), command);
      }
      t.is(server.stderr, '');
    },
  );
}
