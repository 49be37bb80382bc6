// Load from `wrk` (HTTP/1.1) and `h2load` (HTTP/2), each on one thread, and what they report.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const quoted = (text) => `[==[${text}]==]`;

function table(fields) {
  const entries = Object.entries(fields).map(
    ([name, value]) => `[ ${quoted(name)} ] = ${quoted(value)}`,
  );
  return `{ ${entries.join(', ')} }`;
}

/** One request is made once, which costs wrk the least. */
function single({ method = 'GET', headers = {}, body }) {
  return `wrk.method = "${method}"
    wrk.headers = ${table(headers)}
    ${body === undefined ? '' : `wrk.body = ${quoted(body)}`}`;
}

/** Several take turns, and what is pipelined is sent at once. */
function several(requests, pipelined) {
  const paths = requests.map(({ path }) => quoted(path));
  return `local batches = {}
    local at = 0
    init = function()
      for i, path in ipairs({ ${paths.join(', ')} }) do
        batches[i] = string.rep(wrk.format("GET", path), ${pipelined})
      end
    end
    request = function()
      at = at % #batches + 1
      return batches[at]
    end`;
}

const UNITS = { us: 1, ms: 1000, s: 1_000_000 };

/** The median, in microseconds. */
function latency(stdout) {
  const [, number, unit] = /^ +50% +([\d.]+)(us|ms|s)$/m.exec(stdout);
  return Number(number) * UNITS[unit];
}

export async function wrk({ origin, requests, connections, pipelined = 1 }, seconds) {
  const folder = mkdtempSync(join(tmpdir(), 'wapix-bench-'));
  const file = join(folder, 'requests.lua');
  const isSingle = requests.length === 1 && pipelined === 1;
  writeFileSync(file, isSingle ? single(requests[0]) : several(requests, pipelined));
  try {
    const { stdout, stderr } = await run('wrk', [
      ...['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', '-s', file],
      `${origin}${requests[0].path}`,
    ]);
    // Of a mistake in the script it only says so, and sends something else.
    if (stderr !== '' || /Non-2xx|Socket errors/.test(stdout)) throw new Error(stderr + stdout);
    return {
      requests: Number(/(\d+) requests in/.exec(stdout)[1]),
      perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)[1]),
      p50: latency(stdout),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export async function h2load({ origin, requests: [{ path }], connections, streams }, seconds) {
  const { stdout } = await run('h2load', [
    ...['-t1', `-c${connections}`, `-m${streams}`, `-D${seconds}`, '--npn-list=h2'],
    `${origin}${path}`,
  ]);
  const [, requests] = /(\d+) succeeded, 0 failed, 0 errored, 0 timeout/.exec(stdout) ?? [];
  const isSuccess = requests > 0 && /2xx, 0 3xx, 0 4xx, 0 5xx/.test(stdout);
  if (!isSuccess || !/Application protocol: h2/.test(stdout)) throw new Error(stdout);
  return {
    requests: Number(requests),
    perSecond: Number(/finished in .*, ([\d.]+) req\/s/.exec(stdout)[1]),
  };
}
