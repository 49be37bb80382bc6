import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { within } from './deadline.mjs';
import { installed } from './installed.mjs';
import { start } from './program.mjs';

const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

/** Runs nginx with `servers`, a file of `conf.d`, in the directory `root`, until it listens on `port`. */
export async function startNginx(t, root, servers, port) {
  writeFileSync(
    join(root, 'nginx.conf'),
    `daemon off; master_process off; pid nginx.pid; error_log stderr; events {}
    http { access_log off; ${TEMPORARY.map((name) => `${name}_temp_path ${name};`).join(' ')}
    ${servers} }`,
  );
  const args = ['-p', root, '-c', 'nginx.conf', '-e', 'stderr'];
  const program = start(t, installed('nginx'), args);
  const ended = program.exited.then(() => {
    throw new Error(`nginx ended: ${program.stderr}`);
  });
  await within(Promise.race([ended, listening(port)]), 'nginx listens');
  return program;
}

/** Resolves when somebody accepts connections. */
async function listening(port) {
  for (;;) {
    const isOpen = await new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (isOpen) return;
  }
}
