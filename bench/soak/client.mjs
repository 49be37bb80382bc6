// Clients in a process of their own: each does one thing after the other, as its random numbers say.
import { setTimeout as sleep } from 'node:timers/promises';
import { leave, leaveSession, reset } from './aborts.mjs';
import { answer, report, reportUncaught } from './child.mjs';
import { Random } from './random.mjs';
import { requests } from './requests.mjs';
import { shown, transports } from './transports.mjs';

/** How long anything may take: what takes longer hangs. */
const DEADLINE = 45_000;
const LONGEST_REST = 20;

const KINDS = {
  rest: 40,
  echo: 10,
  upload: 8,
  stream: 10,
  file: 5,
  events: 4,
  failing: 3,
  slow: 4,
  leave: 10,
  reset: 6,
  leaveSession: 1,
};
const WAYS = {
  http: 30,
  https: 15,
  'http, new': 8,
  'https, new': 8,
  'http/2': 10,
  'https/2': 10,
  'https/2, other': 10,
};
const HTTP2 = ['http/2', 'https/2', 'https/2, other'];

reportUncaught();

const counts = Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, 0]));
let stopping = false;
let all;
let clients;

async function once(kind, ports, random) {
  if (kind === 'leave') return leave(ports, random);
  if (kind === 'leaveSession') return leaveSession(ports, random);
  if (kind === 'reset') return reset(all[random.of(HTTP2)], random);
  const way = random.weighted(WAYS);
  let path;
  let received;
  const request = async (options) => {
    path = options.path;
    received = await all[way].request(options, random);
    return received;
  };
  await requests[kind](request, random).catch((cause) => {
    throw new Error(`${way} ${path} ${received?.state?.() ?? ''}`, { cause });
  });
}

async function within(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('it never ended')), DEADLINE);
  });
  await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function client(ports, random) {
  while (!stopping) {
    const kind = random.weighted(KINDS);
    await within(once(kind, ports, random)).catch((error) => report(kind, error));
    counts[kind] += 1;
    await sleep(random.below(LONGEST_REST));
  }
}

answer({
  start({ ports, seed, concurrency }) {
    all = transports(ports);
    clients = Array.from({ length: concurrency }, (_, index) =>
      client(ports, new Random(seed + index)),
    );
  },
  counts: () => counts,
  async stop() {
    stopping = true;
    await Promise.all(clients);
    await Promise.all(Object.values(all).map((transport) => transport.close()));
    return { counts, shown };
  },
});
