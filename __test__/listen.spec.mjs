import { EventEmitter } from 'node:events';
import { createServer as createNodeServer } from 'node:net';
import test from 'ava';
import { createServer, text } from 'wapix';
import { connect, requestBytes } from './helpers/client.mjs';
import { deferred, once } from './helpers/events.mjs';
import { lastingPort, serve, stop } from './helpers/server.mjs';

const ROUTES = { '/': { get: () => text('hello') } };

function make(t) {
  const server = createServer(ROUTES);
  t.teardown(() => stop(server));
  return server;
}

async function hello(t, server, where) {
  const client = await connect(t, server, where);
  client.send(requestBytes('GET /'));
  const { text } = await client.response();
  client.destroy();
  return text;
}

const OVERLOADS = [
  ['listen()', []],
  ['listen(0)', [0]],
  ['listen("0")', ['0']],
  ['listen(0, host)', [0, '127.0.0.1']],
  ['listen(0, name)', [0, 'localhost']],
  ['listen({})', [{}]],
  ['listen({ port })', [{ port: 0 }]],
  ['listen({ port, host })', [{ port: 0, host: '127.0.0.1' }]],
  ['listen({ host })', [{ host: '127.0.0.1' }]],
  ['listen(undefined)', [undefined]],
  ['listen(0, undefined)', [0, undefined]],
  ['listen(0, host, backlog)', [0, '127.0.0.1', 16]],
];

// `PORT=` in the environment, say: neither a port nor a path.
const REFUSED = [
  ['listen("")', [''], 'ERR_SOCKET_BAD_PORT'],
  ['listen({ port: "" })', [{ port: '' }], 'ERR_SOCKET_BAD_PORT'],
  ['listen({ port: "80x" })', [{ port: '80x' }], 'ERR_SOCKET_BAD_PORT'],
  ['listen({ path: "" })', [{ path: '' }], 'ERR_INVALID_ARG_VALUE'],
];

test('an option that there is not is refused, and nothing listens in its place', (t) => {
  const server = make(t);
  for (const options of [{ fd: 3 }, { port: 0, prot: 1 }, { port: 0, ipv6Only: true }]) {
    t.throws(() => server.listen(options), { code: 'WAPIX_INVALID_OPTION', message: /none of/ });
  }
  t.false(server.listening);
});

for (const [name, args, code] of REFUSED) {
  test(`${name} throws, as Node's does`, (t) => {
    const server = make(t);
    t.throws(() => createNodeServer().listen(...args), { code });
    t.throws(() => server.listen(...args), { code });
    t.false(server.listening);
  });
}

for (const [name, args] of OVERLOADS) {
  test(`${name} with and without a callback`, async (t) => {
    const server = make(t);
    t.is(server.listen(...args), server);
    await once(server, 'listening');
    t.is(await hello(t, server), 'hello');

    const other = make(t);
    const called = deferred();
    const argsAndCallback = args.at(-1) === undefined ? args.slice(0, -1) : args;
    other.listen(...argsAndCallback, called.resolve);
    await called.promise;
    t.true(other.listening);
    t.is(await hello(t, other), 'hello');
  });
}

test('the callback and the event come later, once, with the address known', async (t) => {
  const server = make(t);
  const order = [];
  server.on('listening', () => order.push('event'));
  server.listen(0, () => order.push(['callback', server.listening, server.address().port > 0]));
  order.push('returned');
  await once(server, 'listening');
  t.deepEqual(order, ['returned', 'event', ['callback', true, true]]);
});

test('a server is an EventEmitter, with a state before, while and after it listens', async (t) => {
  const server = make(t);
  t.true(server instanceof EventEmitter);
  t.is(server.address(), null);
  t.false(server.listening);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port, ...address } = server.address();
  t.deepEqual(address, { address: '127.0.0.1', family: 'IPv4' });
  t.true(Number.isInteger(port) && port > 0);
  t.true(server.listening);
  server.close();
  t.false(server.listening);
  t.is(server.address(), null);
  await once(server, 'close');
  t.is(server.address(), null);
});

for (const where of [
  [0],
  [0, '::1'],
  [0, '0.0.0.0'],
  [0, '127.0.0.1'],
  [0, '::'],
  [0, 'localhost'],
]) {
  test(`address() is as Node's for listen(${where.join(', ')})`, async (t) => {
    const server = make(t).listen(...where);
    const node = createNodeServer().listen(...where);
    t.teardown(() => node.close());
    await Promise.all([once(server, 'listening'), once(node, 'listening')]);
    const withoutPort = ({ port, ...rest }) => [rest, typeof port];
    t.deepEqual(withoutPort(server.address()), withoutPort(node.address()));
  });
}

test('without a host both IPv6 and IPv4 are served', async (t) => {
  const server = await serve(t, ROUTES, {}, { port: 0 });
  t.is(await hello(t, server, { host: '127.0.0.1' }), 'hello');
  t.is(await hello(t, server, { host: '::1' }), 'hello');
});

const shapeOf = ({ name, message, code, errno, syscall, address, port, hostname }) => ({
  name,
  message,
  code,
  errno,
  syscall,
  address,
  port,
  hostname,
});

/** The error of listening, as Node's server and ours emit it. */
async function listenErrors(t, where) {
  const shapes = [];
  for (const server of [make(t), createNodeServer()]) {
    const failed = once(server, 'error');
    server.listen(...where);
    server.once('listening', () => server.close());
    const [error] = await failed;
    t.false(server.listening);
    t.true(error instanceof Error);
    shapes.push(shapeOf(error));
  }
  return shapes;
}

// Taken there: BSD and Windows let one address of a port be taken where every address is.
for (const [name, host, where] of [
  ['a port in use', undefined, (port) => [port]],
  ['a port in use on one address', '127.0.0.1', (port) => [port, '127.0.0.1']],
  ['a port in use, by options', '127.0.0.1', (port) => [{ port, host: '127.0.0.1' }]],
  ['a port in use on a named host', 'localhost', (port) => [port, 'localhost']],
]) {
  test(`${name}: EADDRINUSE exactly as Node's`, async (t) => {
    const taken = await serve(t, ROUTES, {}, { port: 0, ...(host && { host }) });
    const [ours, nodes] = await listenErrors(t, where(taken.address().port));
    t.is(nodes.code, 'EADDRINUSE');
    t.deepEqual(ours, nodes);
  });
}

test("an address that is not here: EADDRNOTAVAIL exactly as Node's", async (t) => {
  const [ours, nodes] = await listenErrors(t, [0, '192.0.2.1']);
  t.is(nodes.code, 'EADDRNOTAVAIL');
  t.deepEqual(ours, nodes);
});

test("a host that has no address: the resolver's error, exactly as Node's", async (t) => {
  const [ours, nodes] = await listenErrors(t, [0, 'no.such.host.invalid']);
  t.is(nodes.syscall, 'getaddrinfo');
  t.deepEqual(ours, nodes);
});

test('closed while a name is resolved, it listens where it was told last', async (t) => {
  const server = make(t);
  const ports = [lastingPort(), lastingPort()];
  server.listen(ports[0], 'localhost');
  server.close();
  server.listen(ports[1], 'localhost');
  await once(server, 'listening');
  t.is(server.address().port, ports[1]);
});

test('after an error the same server can listen elsewhere', async (t) => {
  const taken = await serve(t, ROUTES);
  const server = make(t).listen(taken.address().port, '127.0.0.1');
  await once(server, 'error');
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.is(await hello(t, server), 'hello');
});

for (const port of [65_536, -1, 1.5, 'port 3', Number.NaN]) {
  test(`listen({ port: ${JSON.stringify(port)} }) throws as Node's does`, (t) => {
    const error = t.throws(() => createNodeServer().listen({ port }), { any: true });
    t.throws(() => make(t).listen({ port }), { code: error.code, name: error.name });
  });
}

test('after a name that has no address the same server can listen, too', async (t) => {
  const server = make(t).listen(0, 'no-such-host.invalid');
  await once(server, 'error');
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.is(await hello(t, server), 'hello');
});

test('a callback of listen is for that time', async (t) => {
  let called = 0;
  const server = make(t).listen(0, '127.0.0.1', () => {
    called += 1;
  });
  await once(server, 'listening');
  server.close();
  await once(server, 'close');
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.is(called, 1);
});

test("listen twice throws as Node's does", async (t) => {
  const server = await serve(t, ROUTES);
  const node = createNodeServer().listen(0);
  t.teardown(() => node.close());
  await once(node, 'listening');
  const { code, message } = t.throws(() => node.listen(0));
  t.throws(() => server.listen(0), { code, message });
  t.is(await hello(t, server), 'hello');
});

test('two servers in one process are apart', async (t) => {
  const one = await serve(t, { '/': { get: () => text('one') } });
  const two = await serve(t, { '/': { get: () => text('two') } });
  t.deepEqual([await hello(t, one), await hello(t, two)], ['one', 'two']);
  await stop(one);
  t.is(await hello(t, two), 'two');
});

test('twenty servers, one after the other, on one port', async (t) => {
  const port = lastingPort();
  for (let round = 0; round < 20; round += 1) {
    const server = await serve(t, ROUTES, {}, { port, host: '127.0.0.1' });
    t.is(await hello(t, server), 'hello');
    await stop(server);
  }
});

test('one server, twenty times on one port', async (t) => {
  const server = make(t);
  const port = lastingPort();
  for (let round = 0; round < 20; round += 1) {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    t.is(await hello(t, server), 'hello');
    await stop(server);
  }
});

test('a closed server may listen again from its close event', async (t) => {
  const server = await serve(t, ROUTES);
  server.once('close', () => server.listen(0, '127.0.0.1'));
  server.close();
  await once(server, 'listening');
  t.is(await hello(t, server), 'hello');
});
