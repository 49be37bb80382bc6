// Clients that leave at any moment. What they then see is of their own making, but for one thing: the
// server has to close a connection whose client has said that it leaves.
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { content } from './content.mjs';

const LONGEST_STAY = 60;
const MOST_TAKEN = 400_000;

/** Streams that do not end before their client leaves. */
const endless = (random) =>
  random.of([
    '/stream/readable/0/500000000',
    '/stream/generator/0/500000000',
    '/stream/web/0/500000000',
    '/file/0/4194304',
    '/events/1000000',
  ]);
const any = (random) =>
  random.of([endless(random), '/users/1/posts/2', `/slow/${random.below(500)}`]);

const get = (path) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
const POST = 'POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n\r\n';

const moments = {
  async head(socket, random) {
    const head = get('/users/1/posts/2');
    socket.write(head.slice(0, random.below(head.length)));
    await stay(random);
  },
  async body(socket, random) {
    socket.write(POST);
    socket.write(content(0, random.below(400_000)));
    await stay(random);
  },
  async waiting(socket, random) {
    socket.write(get(any(random)));
    if (random.chance(0.7)) await stay(random);
  },
  async pipelined(socket, random) {
    socket.write(Array.from({ length: 8 }, () => get(any(random))).join(''));
    await stay(random);
  },
  async response(socket, random) {
    let left = random.below(MOST_TAKEN);
    socket.write(get(endless(random)));
    const timer = setTimeout(() => socket.emit('enough'), 10 * LONGEST_STAY);
    socket.on('data', (chunk) => {
      left -= chunk.length;
      if (left <= 0) socket.emit('enough');
    });
    await once(socket, 'enough');
    clearTimeout(timer);
  },
};

const stay = (random) => sleep(random.below(LONGEST_STAY));

/** FIN, or a reset, or what closing makes of it. */
const goodbyes = [
  (socket) => socket.end(),
  (socket) => socket.destroy(),
  (_, below) => below.resetAndDestroy(),
];

export async function leave({ http, https }, random) {
  const secure = random.chance(0.4);
  const below = connect(secure ? https : http, '127.0.0.1');
  await once(below, 'connect');
  let left = false;
  const trouble = new Promise((_, reject) => {
    below.on('error', (error) => left || reject(error));
  });
  trouble.catch(() => {});
  if (secure && random.chance(0.2)) {
    // The beginning of a ClientHello.
    below.write(Buffer.from('16030102000100', 'hex').subarray(0, 1 + random.below(7)));
    await Promise.race([stay(random), trouble]);
    left = true;
    return goodbye(below, below, random);
  }
  const socket = secure ? connectTls({ socket: below, rejectUnauthorized: false }) : below;
  if (secure) {
    socket.on('error', () => {});
    await Promise.race([once(socket, 'secureConnect'), trouble]);
  }
  const moment = random.of(Object.values(moments));
  await Promise.race([moment(socket, random), trouble]);
  left = true;
  await goodbye(socket, below, random);
}

async function goodbye(socket, below, random) {
  const closed = closing(below);
  random.of(goodbyes)(socket, below);
  socket.resume();
  await closed;
}

/** Unlike `once`, whatever error comes before. */
function closing(socket) {
  if (socket.closed) return Promise.resolve();
  return new Promise((resolve) => socket.once('close', resolve));
}

const CANCEL = 8;

/** Resets a stream of a session that goes on. */
export async function reset(transport, random) {
  const uploads = random.chance(0.3);
  const stream = transport
    .session(random)
    .request(uploads ? { ':method': 'POST', ':path': '/upload' } : { ':path': any(random) }, {
      endStream: !uploads,
    });
  const closed = closing(stream);
  if (uploads) stream.write(content(0, random.below(100_000)));
  // Not at once: a client that resets its requests as it makes them is sent away.
  await sleep(5 + random.below(LONGEST_STAY));
  if (random.chance(0.5)) stream.resume();
  if (random.chance(0.5)) await sleep(random.below(LONGEST_STAY));
  stream.on('error', () => {});
  if (!stream.closed) stream.close(CANCEL);
  stream.resume();
  await closed;
}

/** Leaves a session with many streams. */
export async function leaveSession({ http, https }, random) {
  const secure = random.chance(0.5);
  const below = connect(secure ? https : http, '127.0.0.1');
  await once(below, 'connect');
  const ignore = () => {};
  below.on('error', ignore);
  const tls = { socket: below, ALPNProtocols: ['h2'], rejectUnauthorized: false };
  const socket = secure ? connectTls(tls) : below;
  const session = connectHttp2(`${secure ? 'https' : 'http'}://localhost`, {
    createConnection: () => socket,
  });
  await once(session, 'connect');
  session.on('error', ignore);
  for (let count = 1 + random.below(20); count > 0; count -= 1) {
    const stream = session.request({ ':path': any(random) });
    stream.on('error', ignore);
    if (random.chance(0.7)) stream.resume();
  }
  await stay(random);
  const closed = closing(below);
  random.of([() => session.destroy(), () => socket.end(), () => below.resetAndDestroy()])();
  await closed;
  session.destroy();
}
