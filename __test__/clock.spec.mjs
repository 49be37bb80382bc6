// A wall clock that is set: a machine that woke with a wrong one hears of the right one later.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { connect, requestBytes } from './helpers/client.mjs';
import { once } from './helpers/events.mjs';
import { needing } from './helpers/installed.mjs';
import { fieldOf } from './helpers/message.mjs';
import { runProgram } from './helpers/program.mjs';

const DAY = 24 * 60 * 60 * 1000;
const PATHS = ['/whole', '/streamed', '/file', '/none'];

const SERVER = `
import { createReadStream } from 'node:fs';
import { createServer, stream, text } from 'wapix';
const server = createServer({
  '/whole': { get: () => text('whole') },
  '/streamed': { get: () => stream(['chunk']) },
  '/file': { get: () => stream(createReadStream('package.json')) },
});
server.listen(0, '127.0.0.1', () => console.log('port', server.address().port));
`;

const withFaketime = process.platform === 'linux' ? needing(test, 'faketime') : test.skip;

withFaketime('Date follows a clock that is set back, whatever is answered', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'wapix-clock-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const clock = join(folder, 'clock');
  const preload = execFileSync('faketime', ['-m', '-f', '+0', 'printenv', 'LD_PRELOAD']);
  writeFileSync(clock, '+365d');
  const program = runProgram(t, SERVER, [], {
    LD_PRELOAD: preload.toString().trim(),
    FAKETIME_TIMESTAMP_FILE: clock,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  });
  const port = Number((await program.printed(/port (\d+)/))[1]);
  const client = await connect(t, { address: () => ({ address: '127.0.0.1', port }) });
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  t.teardown(() => session.destroy());

  /** By how many days each answer is off. */
  const off = async () => {
    const dates = [];
    for (const path of PATHS) {
      client.send(requestBytes(`GET ${path}`));
      dates.push(fieldOf((await client.response()).fields, 'date'));
      const stream = session.request({ ':path': path });
      const [head] = await once(stream.resume(), 'response');
      dates.push(head.date);
    }
    return dates.map((date) => Math.round(Math.abs(Date.parse(date) - Date.now()) / DAY));
  };
  const each = (days) => Array(PATHS.length * 2).fill(days);
  t.deepEqual(await off(), each(365));
  writeFileSync(clock, '+0');
  t.deepEqual(await off(), each(0));
});
