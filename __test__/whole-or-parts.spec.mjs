// A request that arrives in one piece, the same one in two, and one that repeats the header section of the one before
// are read by different code: all come to the same.

import test from 'ava';
import { json } from 'wapix';
import { connect } from './helpers/client.mjs';
import { serve } from './helpers/server.mjs';

const echo = (req) =>
  json({
    method: req.method,
    url: req.url,
    params: { ...req.params },
    query: { ...req.query },
    headers: Object.entries(req.headers).toSorted(([one], [other]) => (one < other ? -1 : 1)),
    body: req.rawBody.toString('latin1'),
  });

const head = (line, ...fields) => `${[line, ...fields].join('\r\n')}\r\n\r\n`;
const get = (...fields) => head('GET /a HTTP/1.1', 'Host: a', ...fields);
const target = (path) => head(`GET ${path} HTTP/1.1`, 'Host: a');
const post = (body, ...fields) => head('POST /a HTTP/1.1', 'Host: a', ...fields) + body;

const REQUESTS = {
  plain: get(),
  'empty lines before it': `\r\n\r\n${get()}`,
  'line feeds alone': 'GET /a HTTP/1.1\nHost: a\nX-A: b\n\n',
  'spaces around values': get('X-A:   b c \t ', 'X-B:b', 'X-C: '),
  'a space before the colon': get('X-A : b'),
  'a name that is none': get('X A: b'),
  'no colon': get('X-A'),
  'a folded line': get('X-A: b', ' c'),
  'a control character': get('X-A: b\u0001c'),
  'a NUL': get('X-A: b\0c'),
  'a carriage return': get('X-A: b\rc'),
  'a tab': get('X-A: b\tc'),
  'Latin-1': get('X-A: é\xff'),
  'the same field twice': get('X-A: b', 'x-a: c', 'Cookie: a=1', 'cookie: b=2'),
  'a long value': get(
    `X-A: ${'b'.repeat(254)}`,
    `X-B: ${'c'.repeat(255)}`,
    `X-C: ${'d'.repeat(3000)}`,
  ),
  '70 fields': get(...Array.from({ length: 69 }, (_, at) => `X-${at}: ${at}`)),
  '101 fields': get(...Array.from({ length: 100 }, (_, at) => `X-${at}: ${at}`)),
  'fields of Object.prototype': get('__proto__: a', 'constructor: b', 'toString: c'),
  'no Host': head('GET /a HTTP/1.1'),
  'two Hosts': get('Host: a'),
  'a Host that is none': head('GET /a HTTP/1.1', 'Host: a b'),
  'an empty Host': head('GET /a HTTP/1.1', 'Host:'),
  'a Host with a port': head('GET /a HTTP/1.1', 'Host: [::1]:80'),
  'HTTP/1.0': head('GET /a HTTP/1.0', 'Host: a'),
  'HTTP/1.2': head('GET /a HTTP/1.2', 'Host: a'),
  'HTTP/2.0': head('GET /a HTTP/2.0', 'Host: a'),
  'no version': head('GET /a', 'Host: a'),
  'a method in lower case': head('get /a HTTP/1.1', 'Host: a'),
  'a method that no route has': head('DELETE /a HTTP/1.1', 'Host: a'),
  'a method that nobody has': head('PURGE /a HTTP/1.1', 'Host: a'),
  OPTIONS: head('OPTIONS /a HTTP/1.1', 'Host: a'),
  'OPTIONS *': head('OPTIONS * HTTP/1.1', 'Host: a'),
  CONNECT: head('CONNECT a:80 HTTP/1.1', 'Host: a'),
  'two spaces': head('GET  /a HTTP/1.1', 'Host: a'),
  'an unknown path': target('/b/c'),
  'a query': target('/a?x=1&x=2&y=%C3%A9'),
  'a query with a question mark': target('/a?b?c'),
  'a fragment': target('/a#b'),
  'an escape': target('/%C3%A9'),
  'an escape that is none': target('/%zz'),
  'an escaped slash': target('/a%2Fb'),
  'dot segments': target('/b/../a'),
  'a backslash': target('/a\\b'),
  'a quote': target('/a"b'),
  'a brace': target('/a?{b}'),
  'bytes beyond ASCII': target('/é'),
  'absolute form': target('http://other/a?b'),
  'absolute form of another scheme': target('ftp://other/a'),
  'no slash': target('a'),
  'two slashes': target('//a'),
  'a long target': target(`/a?${'b'.repeat(17_000)}`),
  'a body': post('hello', 'Content-Length: 5'),
  'a body of GET': `${get('Content-Length: 5')}hello`,
  'an empty body': post('', 'Content-Length: 0'),
  'no length': post(''),
  'a length twice': post('hello', 'Content-Length: 5', 'Content-Length: 5'),
  'two lengths': post('hello', 'Content-Length: 5', 'Content-Length: 4'),
  'a list of lengths': post('hello', 'Content-Length: 5, 5'),
  'a length with a sign': post('hello', 'Content-Length: +5'),
  'a length with zeros': post('hello', 'Content-Length: 0005'),
  'a length that is none': post('hello', 'Content-Length: five'),
  'an empty length': post('hello', 'Content-Length:'),
  'a chunked body': post('5\r\nhello\r\n0\r\n\r\n', 'Transfer-Encoding: chunked'),
  'a chunked body and a length': post(
    '5\r\nhello\r\n0\r\n\r\n',
    'Content-Length: 5',
    'Transfer-Encoding: chunked',
  ),
  'another coding': post('hello', 'Transfer-Encoding: gzip, chunked'),
  'JSON that is none': post('{', 'Content-Type: application/json', 'Content-Length: 1'),
  'a body beyond its limit': post('b'.repeat(2000), 'Content-Length: 2000'),
  'Expect: 100-continue': post('hello', 'Content-Length: 5', 'Expect: 100-continue'),
  'an upgrade': get('Connection: upgrade', 'Upgrade: websocket'),
  'Connection: close': get('Connection: close'),
  'Connection: keep-alive': get('Connection: Keep-Alive'),
  'Connection: of more': get('Connection: keep-alive, x-a', 'X-A: b'),
};

/** What of it is kept alive answers this, too. */
const LAST = head('GET /last HTTP/1.1', 'Host: a', 'Connection: close');
/** How often a request is sent again on its connection. */
const TIMES = 4;

/** Everything that an answer says but for when it was given. */
async function answered(t, server, parts) {
  const client = await connect(t, server);
  if (parts.length > 0) client.send(parts[0]);
  if (parts.length > 1) {
    // Read by the time that another connection has had its answer, which began after it.
    const other = await connect(t, server);
    other.send(get());
    await other.response();
    client.send(parts[1]);
  }
  client.send(LAST);
  await client.ended();
  return client.bytes.toString('latin1').replaceAll(/^date: .*\r\n/gim, '');
}

for (const [what, request] of Object.entries(REQUESTS)) {
  test(what, async (t) => {
    const server = await serve(t, { '/:a': { get: echo, post: echo } }, { bodyLimit: 1000 });
    const whole = await answered(t, server, [request]);
    t.regex(whole, /^HTTP\/1\.[01] \d{3} /);
    const middle = Math.floor(request.length / 2);
    for (const at of [1, middle, request.length - 1]) {
      t.is(await answered(t, server, [request.slice(0, at), request.slice(at)]), whole);
    }
    const last = await answered(t, server, []);
    const isKeptAlive = whole !== last && whole.endsWith(last);
    const once = isKeptAlive ? whole.slice(0, -last.length) : whole;
    const expected = isKeptAlive ? once.repeat(TIMES) + last : once;
    t.is(await answered(t, server, [request.repeat(TIMES)]), expected);
  });
}
