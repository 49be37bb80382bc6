import { get } from 'node:http';
import { within } from './deadline.mjs';
import { until } from './events.mjs';
import { originOf } from './server.mjs';

/** Events as a client sees them (HTML standard, 9.2.6), of text that comes in pieces. */
export class EventParser {
  #rest = '';
  #fields = { data: '', event: '' };
  /** That of a block which has not ended: half an event is none. */
  #id = '';
  lastEventId = '';
  retry;
  comments = 0;
  events = [];

  constructor(lastEventId = '') {
    this.#id = lastEventId;
    this.lastEventId = lastEventId;
  }

  push(text) {
    const lines = (this.#rest + text).split(/\r\n|\r|\n/);
    this.#rest = lines.pop();
    for (const line of lines) this.#line(line);
  }

  #line(line) {
    if (line === '') {
      this.lastEventId = this.#id;
      const { data, event } = this.#fields;
      this.#fields = { data: '', event: '' };
      if (data === '') return;
      const { lastEventId } = this;
      this.events.push({ type: event || 'message', data: data.slice(0, -1), lastEventId });
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) this.comments += 1;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.#fields.event = value;
    else if (field === 'data') this.#fields.data += `${value}\n`;
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    else if (field === 'retry' && /^\d+$/.test(value)) this.retry = Number(value);
  }
}

/** A client of one connection that keeps what it got. */
class Source extends EventParser {
  #waiting = new Set();
  headers;
  text = '';
  /** How the response ended: `'end'` where it is complete, or the code of an error. */
  ending;

  constructor(request) {
    super();
    this.request = request;
    request.on('response', (response) => {
      this.headers = response.headers;
      this.response = response;
      response.setEncoding('utf8').on('data', (text) => {
        this.text += text;
        this.push(text);
        this.#look();
      });
      response.on('end', () => this.#end('end'));
      response.on('error', (error) => this.#end(error.code));
      this.#look();
    });
    request.on('error', (error) => this.#end(error.code));
  }

  #end(how) {
    this.ending ??= how;
    this.#look();
  }

  #look() {
    for (const look of this.#waiting) look();
  }

  /** Resolves when `condition` holds; looked at whenever something came. */
  until(condition, what = String(condition)) {
    let look;
    const holds = new Promise((resolve) => {
      look = () => condition(this) && resolve(this);
      this.#waiting.add(look);
      look();
    });
    const got = () => `${what}; got ${this.events.length} events, ${this.text.slice(-200)}`;
    return within(holds, what)
      .catch(() => {
        throw new Error(`never happened: ${got()}`);
      })
      .finally(() => this.#waiting.delete(look));
  }

  /** Resolves to the data of the first `count` events. */
  async data(count) {
    await this.until(({ events }) => events.length >= count, `${count} events`);
    return this.events.slice(0, count).map(({ data }) => JSON.parse(data));
  }

  leave() {
    this.request.destroy();
  }
}

/**
 * A client that comes back with the id of its last event, as a browser's EventSource does: where the server
 * said, and not where an answer is no stream of events.
 */
class ReturningSource {
  #where;
  #keep;
  #request;
  #hasLeft = false;
  lastEventId = '';
  retry = 100;
  /** What came over all its connections. */
  events = [];
  connections = 0;
  /** The status of an answer that it does not come back after. */
  refused;

  constructor(where, keep) {
    this.#where = where;
    this.#keep = keep;
    this.#connect();
  }

  #connect() {
    if (this.#hasLeft) return;
    const headers = this.lastEventId === '' ? {} : { 'last-event-id': this.lastEventId };
    this.#request = get({ ...this.#where, headers, agent: false }, (response) => {
      if (response.statusCode !== 200) {
        this.refused = response.statusCode;
        this.leave();
        return;
      }
      this.connections += 1;
      this.#read(response);
    });
    this.#request.on('error', () => {});
    this.#request.on('close', () => setTimeout(() => this.#connect(), this.retry));
  }

  #read(response) {
    const parser = new EventParser(this.lastEventId);
    response.setEncoding('utf8').on('error', () => {});
    response.on('data', (text) => {
      parser.push(text);
      this.lastEventId = parser.lastEventId;
      this.retry = parser.retry ?? this.retry;
      this.events.push(...parser.events.splice(0).map(this.#keep));
    });
  }

  /** Reads no more, on this connection. */
  stall() {
    this.#request.socket.pause();
  }

  resume() {
    this.#request.socket.resume();
  }

  leave() {
    this.#hasLeft = true;
    this.#request.destroy();
  }
}

/**
 * `count` clients that come back to `where` (options of `http.get`), once each knows where it is. Of each event
 * they keep what `keep` returns.
 */
export async function returning(t, where, count, keep = (event) => event) {
  const sources = Array.from({ length: count }, () => new ReturningSource(where, keep));
  t.teardown(() => {
    for (const source of sources) source.leave();
  });
  await until(() => sources.every(({ lastEventId }) => lastEventId !== ''), 'all have an id');
  return sources;
}

/** Asks for events at `path`; resolves when the client knows where it is. */
export async function subscribe(t, server, path = '/', lastEventId) {
  const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
  const source = new Source(get(originOf(server) + path, { headers, agent: false }));
  t.teardown(() => {
    source.leave();
  });
  return source.until(({ headers, text }) => headers !== undefined && text !== '', 'the opening');
}
