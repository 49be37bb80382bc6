// What clients ask for who stay to the end, and look at every byte.
import { setTimeout as sleep } from 'node:timers/promises';
import { FormData } from 'undici';
import { content, Expected, sha256, WrongContent } from './content.mjs';

const LARGEST_UPLOAD = 900 * 1024;
const LARGEST_STREAM = 2 * 1024 * 1024;
const FILE_LENGTH = 4 * 1024 * 1024;
const OFFSETS = 1_000_000;
const JSON_TYPE = { 'content-type': 'application/json' };

/** Each of them: `(request, random)`, where `request` goes the way of this time. */
export const requests = {
  async rest(request, random) {
    const [user, post, query] = [random.below(1000), word(random), word(random)];
    const path = `/users/${user}/posts/${encodeURIComponent(post)}?q=${encodeURIComponent(query)}`;
    const { status, body, ended } = await request({ path });
    const answer = JSON.parse(await text(body));
    ended();
    same(status, 200);
    same(JSON.stringify(answer), JSON.stringify({ user: String(user), post, q: query }));
  },

  async echo(request, random) {
    const sent = JSON.stringify(
      Array.from({ length: random.size(300) }, (_, id) => ({ id, name: word(random), tags: [id] })),
    );
    const { status, body, ended } = await request({
      method: 'POST',
      path: '/echo',
      headers: JSON_TYPE,
      body: sent,
    });
    const received = await text(body);
    ended();
    same(status, 200);
    same(received, sent);
  },

  async upload(request, random) {
    const bytes = content(random.below(OFFSETS), random.size(LARGEST_UPLOAD));
    const { headers, body } = await random.of([whole, parts, form])(bytes, random);
    const answer = await request({ method: 'POST', path: '/upload', headers, body });
    const received = JSON.parse(await text(answer.body));
    answer.ended();
    same(answer.status, 200);
    same(received.length, bytes.length);
    same(received.sha256, sha256(bytes));
  },

  async stream(request, random) {
    const [offset, length] = [random.below(OFFSETS), random.size(LARGEST_STREAM)];
    const how = random.of(['readable', 'generator', 'web']);
    await takeWhole(request, random, `/stream/${how}/${offset}/${length}`, offset, length);
  },

  async file(request, random) {
    const start = random.below(FILE_LENGTH - LARGEST_STREAM);
    const length = 1 + random.size(LARGEST_STREAM - 1);
    await takeWhole(request, random, `/file/${start}/${length}`, start, length);
  },

  async events(request, random) {
    const count = 1 + random.below(20);
    const { status, body, ended } = await request({ path: `/events/${count}` });
    same(status, 200);
    const received = await text(body);
    ended();
    const all = Array.from({ length: count }, (_, id) => `id: ${id}\ndata: {"number":${id}}\n\n`);
    same(received, all.join(''));
  },

  /** A source that fails: what has come is right, and does not look whole. */
  async failing(request, random) {
    const [offset, length] = [random.below(OFFSETS), 1 + random.size(LARGEST_STREAM)];
    const query = random.chance(0.5) ? `?declared=${length + 1 + random.below(1000)}` : '';
    const expected = new Expected(offset, length);
    const answer = await request({ path: `/stream/failing/${offset}/${length}${query}` });
    if (answer.status === 500) {
      // It failed before the head had left.
      await text(answer.body);
      return;
    }
    same(answer.status, 200);
    let whole = true;
    try {
      for await (const chunk of answer.body) expected.take(chunk);
      answer.ended();
    } catch (error) {
      if (error instanceof WrongContent) throw error;
      whole = false;
    }
    if (whole) throw new Error('a response looks whole though its source has failed');
  },

  async slow(request, random) {
    const delay = random.below(300);
    const { status, body, ended } = await request({ path: `/slow/${delay}` });
    const received = await text(body);
    ended();
    same(status, 200);
    same(received, JSON.stringify({ delay }));
  },
};

async function takeWhole(request, random, path, offset, length) {
  const declared = random.chance(0.5);
  const pause = random.chance(0.1) ? 20 : 0;
  const expected = new Expected(offset, length);
  const { status, headers, body, ended } = await request({
    path: declared ? `${path}?declared=${length}` : path,
  });
  same(status, 200);
  if (declared && length > 0) same(Number(headers['content-length']), length);
  for await (const chunk of body) {
    expected.take(chunk);
    if (pause > 0) await sleep(pause);
  }
  ended();
  expected.end();
}

const whole = (bytes) => ({
  headers: { 'content-type': 'application/octet-stream' },
  body: Buffer.from(bytes),
});

/** Of a length that the head does not tell. */
function parts(bytes, random) {
  // Not so many that their rests alone would take as long as anything may.
  const size = Math.ceil(bytes.length / 1000) + random.below(128 * 1024);
  async function* body() {
    for (let at = 0; at < bytes.length; at += size) {
      yield Buffer.from(bytes.subarray(at, at + size));
      if (random.chance(0.2)) await sleep(random.below(10));
    }
  }
  return { headers: { 'content-type': 'application/octet-stream' }, body: body() };
}

async function form(bytes) {
  const data = new FormData();
  data.set('note', 'of a form');
  data.set('file', new File([bytes], 'file.bin'));
  const response = new Response(data);
  return {
    headers: { 'content-type': response.headers.get('content-type') },
    body: Buffer.from(await response.arrayBuffer()),
  };
}

// Without `/`: a parameter is one segment.
const LETTERS = Array.from('abcdefghijklmnopqrstuvwxyz 0123456789 äöüé ß€😀 %&+?#=');

function word(random) {
  return Array.from({ length: 1 + random.below(20) }, () => random.of(LETTERS)).join('');
}

async function text(body) {
  const chunks = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function same(actual, right) {
  if (actual !== right) throw new Error(`${right} was right, ${shorten(actual)} was received`);
}

const shorten = (value) => String(value).slice(0, 400);
