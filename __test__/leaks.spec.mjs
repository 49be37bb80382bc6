import test from 'ava';
import { runProgram } from './helpers/program.mjs';

/** A program that serves `get` at `/`, and whose clients ask and leave, 50 a round. */
const leaving = (get, rounds) => `
  import { createReadStream, existsSync, readdirSync } from 'node:fs';
  import { once } from 'node:events';
  import { connect } from 'node:net';
  import { Readable } from 'node:stream';
  import { createServer, stream } from 'wapix';

  const descriptors = () => (existsSync('/dev/fd') ? readdirSync('/dev/fd').length : 0);
  let live = 0;
  let served = 0;
  const track = (source) => {
    live += 1;
    served += 1;
    source.once('close', () => { live -= 1; });
    return source;
  };
  const server = createServer({ '/': { get: ${get} } });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  async function leave(index) {
    const socket = connect(server.address().port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\\r\\nHost: test\\r\\n\\r\\n');
    await once(socket, 'data');
    const closed = once(socket, 'close');
    if (index % 2 === 0) socket.destroy();
    else socket.resetAndDestroy();
    await closed;
  }
  async function round() {
    await Promise.all(Array.from({ length: 50 }, (_, index) => leave(index)));
    while (live > 0) await new Promise((resolve) => setImmediate(resolve));
  }

  await round();
  const before = descriptors();
  for (let count = 0; count < ${rounds}; count += 1) await round();
  // The I/O thread closes its side a moment after the source has heard.
  while (descriptors() > before) await new Promise((resolve) => setTimeout(resolve, 10));
  console.log('served', served, 'live', live);
  server.close();
`;

test('a thousand aborted downloads leave descriptors and sources flat', async (t) => {
  const get = '() => stream(track(createReadStream(process.execPath)))';
  const program = runProgram(t, leaving(get, 20));
  t.is((await program.exit()).code, 0, program.stderr);
  t.regex(program.stdout, /served 1050 live 0/);
  t.is(program.stderr, '', 'an ordinary leave is not logged');
});

test('a thousand aborted event streams leave no listeners on what they share', async (t) => {
  const get = `({ signal }) => {
    const source = track(new Readable({ read() {} }));
    const onExit = () => {};
    process.on('SIGUSR2', onExit);
    signal.addEventListener('abort', () => process.off('SIGUSR2', onExit));
    process.setMaxListeners(0);
    return stream(source, 'text/event-stream');
  }`;
  const program = runProgram(
    t,
    `${leaving(get, 20)}
    console.log('listeners', process.listenerCount('SIGUSR2'));`,
  );
  t.is((await program.exit()).code, 0, program.stderr);
  t.regex(program.stdout, /served 1050 live 0\nlisteners 0/);
});
