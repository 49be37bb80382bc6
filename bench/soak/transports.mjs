// The ways a request can go: each takes `{ method, path, headers, body }` and resolves to
// `{ status, headers, body, ended, state }`; `ended()` throws where the body only seemed whole, and
// `state()`, where there is one, says more of a request that failed.
import { once } from 'node:events';
import { request as requestHttp } from 'node:http';
import { connect as connectHttp2, constants } from 'node:http2';
import { request as requestHttps } from 'node:https';
import { Readable } from 'node:stream';
import { buildConnector, Pool } from 'undici';
import { FINGERPRINTS } from './certificates.mjs';
import { report } from './child.mjs';

/** Less than the server's `keepAliveTimeout`: a client must not write to what is being closed. */
const IDLE = 20_000;
const SHORTEST_LIFE = 2000;
const LONGEST_LIFE = 12_000;
const LEAVING_WITHIN = 30_000;

/** How often each certificate was shown. */
export const shown = FINGERPRINTS.map(() => 0);

function look(socket) {
  const certificate = socket.getPeerX509Certificate?.();
  if (!certificate) return;
  const index = FINGERPRINTS.indexOf(certificate.fingerprint256);
  if (index < 0) report('a connection', new Error('it was shown a certificate of nobody'));
  else shown[index] += 1;
}

function connector() {
  const connect = buildConnector({ rejectUnauthorized: false, allowH2: false });
  return (options, callback) =>
    connect(options, (error, socket) => {
      if (!error) look(socket);
      callback(error, socket);
    });
}

function keepAlive(origin) {
  const pool = new Pool(origin, {
    connections: 8,
    keepAliveTimeout: IDLE,
    allowH2: false,
    connect: connector(),
  });
  return {
    async request(options) {
      const {
        statusCode: status,
        headers,
        body,
      } = await pool.request({ method: 'GET', ...options });
      return { status, headers, body, ended() {} };
    },
    close: () => pool.close(),
  };
}

/** A connection for each request; the one side closes it or the other. */
function fresh(request, port) {
  return {
    async request({ method = 'GET', path, headers, body }, random) {
      const outgoing = request({
        host: '127.0.0.1',
        port,
        method,
        path,
        headers: { ...headers, connection: random.of(['close', 'keep-alive']) },
        agent: false,
        rejectUnauthorized: false,
        maxVersion: random.of(['TLSv1.2', 'TLSv1.3']),
      });
      outgoing.on('socket', (socket) => socket.once('secureConnect', () => look(socket)));
      // Who waits for the response, or reads it, hears of it.
      outgoing.on('error', () => {});
      send(outgoing, body);
      const [response] = await once(outgoing, 'response');
      const { statusCode: status, headers: fields } = response;
      return { status, headers: fields, body: response, ended() {} };
    },
    close() {},
  };
}

function send(writable, body) {
  const isWhole = body === undefined || typeof body === 'string' || body instanceof Uint8Array;
  if (isWhole) writable.end(body);
  else Readable.from(body).pipe(writable);
}

/** A session for some seconds, then another. */
class Http2 {
  #origin;
  #session;
  #until = 0;

  constructor(origin) {
    this.#origin = origin;
  }

  session(random) {
    if (Date.now() > this.#until) {
      this.close();
      this.#until = Date.now() + SHORTEST_LIFE + random.below(LONGEST_LIFE - SHORTEST_LIFE);
      this.#session = this.#open();
    }
    return this.#session;
  }

  #open() {
    const session = connectHttp2(this.#origin, { rejectUnauthorized: false });
    session.on('connect', (_, socket) => look(socket));
    session.on('error', (error) => report('a session', error));
    session.on('goaway', (code) => {
      if (code !== constants.NGHTTP2_NO_ERROR) report('a session', new Error(`GOAWAY ${code}`));
    });
    session.on('close', () => {
      if (session === this.#session) report('a session', new Error('closed by the server'));
    });
    return session;
  }

  async request({ method = 'GET', path, headers, body }, random) {
    const session = this.session(random);
    const stream = session.request(
      { ':method': method, ':path': path, ...headers },
      { endStream: body === undefined },
    );
    // As above.
    stream.on('error', () => {});
    if (body !== undefined) send(stream, body);
    const [fields] = await once(stream, 'response');
    return {
      status: fields[':status'],
      headers: fields,
      body: stream,
      ended() {
        if (stream.rstCode !== 0) throw new Error(`reset with ${stream.rstCode}`);
      },
      state: () =>
        `reset with ${stream.rstCode}, ${session === this.#session ? 'open' : 'closing'} session`,
    };
  }

  async close() {
    const session = this.#session;
    this.#session = undefined;
    if (!session || session.closed) return;
    const timer = setTimeout(() => {
      report('a session', new Error('its streams do not end'));
      session.destroy();
    }, LEAVING_WITHIN);
    session.once('close', () => clearTimeout(timer));
    session.close();
    await new Promise((resolve) => session.once('close', resolve));
  }
}

export function transports({ http, https }) {
  const [plain, secure] = [`http://127.0.0.1:${http}`, `https://127.0.0.1:${https}`];
  return {
    http: keepAlive(plain),
    https: keepAlive(secure),
    'http, new': fresh(requestHttp, http),
    'https, new': fresh(requestHttps, https),
    'http/2': new Http2(plain),
    'https/2': new Http2(secure),
    'https/2, other': new Http2(secure),
  };
}
