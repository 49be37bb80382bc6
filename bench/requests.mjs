// CPU time per request, total and of the JavaScript thread, and throughput: GET /users/:id → JSON.
//
//   node requests.mjs [--rounds 5] [--seconds 4] [--connections 64] [--pipeline 1] [--servers a,b]
//
// Every round runs every server once, one after the other, so that a machine that speeds up or
// slows down does so for all of them. Load comes from `wrk` (Debian: apt install wrk); CPU time
// from /proc, so this runs on Linux.
import { execFile } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { interleave, start, used } from './lib/server.mjs';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    connections: { type: 'string', default: '64' },
    pipeline: { type: 'string', default: '1' },
    servers: { type: 'string', default: 'wapix,uwebsockets,node-http,fastify' },
  },
});
const servers = options.servers.split(',');
const run = promisify(execFile);

const pipelining = join(mkdtempSync(join(tmpdir(), 'wapix-bench-')), 'pipeline.lua');
writeFileSync(
  pipelining,
  `init = function(args)
     local all = {}
     for i = 1, ${options.pipeline} do all[i] = wrk.format() end
     requests = table.concat(all)
   end
   request = function() return requests end`,
);

async function load(url, seconds) {
  const pipelined = options.pipeline === '1' ? [] : ['-s', pipelining];
  const { stdout } = await run('wrk', [
    '-t1',
    `-c${options.connections}`,
    `-d${seconds}s`,
    ...pipelined,
    url,
  ]);
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(stdout);
  return {
    requests: Number(/(\d+) requests in/.exec(stdout)[1]),
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)[1]),
  };
}

async function measure(name) {
  const server = await start('requests', name);
  const url = `http://127.0.0.1:${server.port}/users/42`;
  try {
    const answer = await (await fetch(url)).json();
    if (answer.id !== '42') throw new Error(`${name} answered ${JSON.stringify(answer)}`);
    await load(url, 1);
    const before = server.cpu();
    const { requests, perSecond } = await load(url, options.seconds);
    const { total, javascript } = used(before, server.cpu());
    return { perSecond, total: total / requests, javascript: javascript / requests };
  } finally {
    await server.stop();
  }
}

const medians = await interleave(servers, Number(options.rounds), measure);
const base = medians['node-http'] ?? medians[servers[0]];
console.table(
  Object.fromEntries(
    servers.map((name) => {
      const { perSecond, total, javascript } = medians[name];
      return [
        name,
        {
          'requests/s': Math.round(perSecond),
          'CPU µs/request': total.toFixed(2),
          'of which JavaScript': javascript.toFixed(2),
          'CPU / node:http': (total / base.total).toFixed(2),
          'JavaScript / node:http': (javascript / base.javascript).toFixed(2),
        },
      ];
    }),
  ),
);
