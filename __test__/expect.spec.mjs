// A client that asks before it sends its body waits for the answer, and for nothing else.

import test from 'ava';
import { json } from 'wapix';
import { connect } from './helpers/client.mjs';
import { needing } from './helpers/installed.mjs';
import { start } from './helpers/program.mjs';
import { originOf, serve } from './helpers/server.mjs';

const TWO_MEBIBYTES = 2 * 2 ** 20;

const serveLengths = (t) =>
  serve(
    t,
    { '/': { post: ({ rawBody }) => json({ length: rawBody.length }) } },
    { bodyLimit: 2 * TWO_MEBIBYTES },
  );

/** curl that sends 2 MiB, and would rather wait for ever than send them unasked. */
function upload(t, server) {
  const patient = ['-H', 'Expect: 100-continue', '--expect100-timeout', '3600'];
  const run = start(
    t,
    'curl',
    ['-q', '-v', '--noproxy', '*', ...patient, '--data-binary', '@-', originOf(server)],
    { stdio: ['pipe', 'pipe', 'pipe'] },
  );
  run.child.stdin.end(Buffer.alloc(TWO_MEBIBYTES, 'a'));
  return run;
}

needing(test, 'curl')('curl sends 2 MiB when it has been asked to', async (t) => {
  const run = upload(t, await serveLengths(t));
  t.is((await run.exit()).code, 0, run.stderr);
  t.is(run.stdout, `{"length":${TWO_MEBIBYTES}}`);
  t.regex(run.stderr, /^< HTTP\/1\.1 100 Continue\r?$/m);
});

const head = (version, fields) =>
  `POST / HTTP/${version}\r\nHost: test\r\nContent-Length: 3\r\n${fields}\r\n`;

test('over HTTP/1.0 nobody is asked (RFC 9110, 10.1.1)', async (t) => {
  const client = await connect(t, await serveLengths(t));
  client.send(head('1.0', 'Expect: 100-continue\r\n'), 'abc');
  t.is((await client.head()).status, 200);
});

test('who does not ask is not answered, and neither is who has nothing to send', async (t) => {
  const server = await serveLengths(t);
  const plain = await connect(t, server);
  plain.send(head('1.1', ''), 'abc');
  t.is((await plain.head()).status, 200);
  const empty = await connect(t, server);
  empty.send(head('1.1', 'Expect: 100-continue\r\n').replace('Length: 3', 'Length: 0'));
  t.is((await empty.head()).status, 200);
});

test('the expectation may be written in any letters', async (t) => {
  const client = await connect(t, await serveLengths(t));
  client.send(head('1.1', 'EXPECT: 100-Continue\r\n'));
  t.is((await client.head()).status, 100);
  client.send('abc');
  t.is((await client.response()).json.length, 3);
});

test('who announces too much is refused, and not asked', async (t) => {
  const client = await connect(t, await serveLengths(t));
  client.send(
    `POST / HTTP/1.1\r\nHost: test\r\nContent-Length: ${2 * TWO_MEBIBYTES + 1}\r\n` +
      'Expect: 100-continue\r\n\r\n',
  );
  t.is((await client.head()).status, 413);
});
