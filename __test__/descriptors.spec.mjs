// A process may open so many files and sockets, and no more.

import { fileURLToPath } from 'node:url';
import test from 'ava';
import { connect, requestBytes } from './helpers/client.mjs';
import { within } from './helpers/deadline.mjs';
import { start } from './helpers/program.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DESCRIPTORS = 64;

const SERVER = `
  import { createServer, text } from 'wapix';
  const server = createServer({ '/': { get: () => text('served') } });
  server.listen(0, '127.0.0.1', () => console.log('port', server.address().port));
`;

/** Resolves when `program` has said so on its standard error. */
const complained = (program, pattern) =>
  within(
    new Promise((resolve) => {
      const look = () => pattern.test(program.stderr) && resolve();
      program.child.stderr.on('data', look);
      look();
    }),
    `saying ${pattern}`,
  );

test('who comes when there is no descriptor left waits for one, and it is said once', async (t) => {
  const command = `ulimit -n ${DESCRIPTORS}; exec "$0" --input-type=module --eval "$1"`;
  const program = start(t, 'sh', ['-c', command, process.execPath, SERVER], { cwd: ROOT });
  const [, port] = await program.printed(/port (\d+)/);
  const server = { address: () => ({ address: '127.0.0.1', port: Number(port) }) };
  const clients = [];
  while (clients.length < 2 * DESCRIPTORS) clients.push(await connect(t, server));
  await complained(program, /accept: /);
  const texts = clients.map(async (client) => {
    client.send(requestBytes('GET /'));
    const { text } = await client.response();
    client.end();
    return text;
  });
  t.deepEqual(new Set(await Promise.all(texts)), new Set(['served']));
  t.regex(program.stderr, /^wapix: accept: Too many open files .*\n$/);
});
