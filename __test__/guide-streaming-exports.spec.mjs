// The streaming guide: exports, the progress of a long task, backpressure.

import { within } from './helpers/deadline.mjs';
import { runsEveryBlock, shows, showsAltered } from './helpers/guide-streaming.mjs';

/** The rows of a CSV text: strict, as RFC 4180 has it. */
function parseCsv(text) {
  const rows = [[]];
  const field = /("(?:[^"]|"")*"|[^",\r\n]*)(,|\r\n)/y;
  while (field.lastIndex < text.length) {
    const at = field.lastIndex;
    const match = field.exec(text);
    if (match === null) throw new Error(`not CSV: ${JSON.stringify(text.slice(at, at + 50))}`);
    const [, value, end] = match;
    rows.at(-1).push(value.startsWith('"') ? value.slice(1, -1).replaceAll('""', '"') : value);
    if (end !== ',') rows.push([]);
  }
  rows.pop();
  return rows;
}

const ORDERS = 'src/orders.ts';
const CSV = 'src/routes/orders.csv/get.ts';
const NDJSON = 'src/routes/orders/get.ts';

const CUSTOMERS = ['Ada', 'Zoë "Zo" Ek', 'Smith, Sons & Co', 'two\nlines'];
const EXPECTED = Array.from({ length: 25_000 }, (_, index) => {
  const id = index + 1;
  return { id, customer: CUSTOMERS[id % 4], total: id / 4 };
});

shows('the CSV export is whole, and quoted', [ORDERS, CSV], async (t, app) => {
  const csv = await app.whole('/orders.csv');
  t.is(csv.field('content-type'), 'text/csv; charset=utf-8');
  t.is(csv.field('content-disposition'), 'attachment; filename="orders.csv"');
  const [names, ...rows] = parseCsv(csv.text);
  t.deepEqual(names, ['id', 'customer', 'total']);
  // As text: to compare the rows one by one takes seconds.
  t.is(
    JSON.stringify(rows),
    JSON.stringify(EXPECTED.map((order) => Object.values(order).map(String))),
  );
  t.true(csv.text.includes('\r\n1,"Zoë ""Zo"" Ek",0.25\r\n2,"Smith, Sons & Co",0.5\r\n'));
});

shows('read() pages through every record: none is lost', [ORDERS, NDJSON], async (t, app) => {
  const lines = await app.whole('/orders');
  t.is(lines.field('content-type'), 'application/x-ndjson');
  t.is(lines.text, EXPECTED.map((order) => `${JSON.stringify(order)}\n`).join(''));
});

for (const path of ['/orders.csv', '/orders']) {
  showsAltered(`${path}: no page is fetched for who does not read`, async (t, app) => {
    const pages = async () => (await app.get('/state')).json.pages;
    const client = await app.open(path);
    await client.head();
    client.stall();
    let before;
    let now = await pages();
    // Until those that the sockets hold have been sent.
    do {
      before = now;
      for (let round = 0; round < 20; round += 1) now = await pages();
    } while (now > before);
    t.true(now > 1);
    client.resume();
    await app.state((state) => state.pages > now);
  });
}

const JOBS = ['src/jobs.ts', 'src/routes/jobs/post.ts', 'src/routes/jobs/$id/get.ts'];

const dataOf = (events) =>
  Array.from(events.matchAll(/^data: (.*)\n\n/gm), ([, data]) => JSON.parse(data));

shows('a job is watched to its end, and after it', JOBS, async (t, app) => {
  const created = await app.post('/jobs');
  t.is(created.status, 201);
  const path = created.field('location');
  t.is(path, `/jobs/${created.json.id}`);

  const watched = await app.get(path);
  t.true(watched.complete);
  const states = dataOf(watched.text);
  t.true(states.length > 1);
  t.deepEqual(
    states,
    Array.from({ length: 11 }, (_, step) => ({
      status: step < 10 ? 'running' : 'done',
      percent: step * 10,
    })).slice(-states.length),
  );
  t.deepEqual(dataOf((await app.get(path)).text), [{ status: 'done', percent: 100 }]);
  t.is((await app.get('/jobs/none')).status, 404);
});

showsAltered('a job that fails says so, and who leaves it no longer listens', async (t, app) => {
  const { id } = (await app.post('/jobs')).json;
  const client = await app.open(`/jobs/${id}`);
  await app.state(({ watchers }) => watchers === 1);
  client.reset();
  await app.state(({ watchers }) => watchers === 0);
  const { text, complete } = await app.get(`/jobs/${id}`);
  t.true(complete);
  t.deepEqual(dataOf(text).at(-1), { status: 'failed', percent: 40 });
});

shows(
  'what is written waits for its reader, and is whole',
  ['src/routes/squares/get.ts'],
  async (t, app) => {
    const { text } = await app.whole('/squares');
    const lines = text.split('\n');
    t.is(lines.length, 100_001);
    t.deepEqual([lines[0], lines[2], lines[99_999]], ['1', '9', '10000000000']);
  },
);

showsAltered(
  'what is written stops where nobody reads, and ends when the client leaves',
  async (t, app) => {
    const client = await app.open('/squares');
    await client.head();
    client.stall();
    // Endless: without the wait it would not let this be answered.
    t.is((await app.get('/')).status, 200);
    client.reset();
    await within(app.program.prints(/AbortError/), 'the end of the wait');
  },
);

runsEveryBlock('exports');
