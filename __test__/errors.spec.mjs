import { Readable, Writable } from 'node:stream';
import test from 'ava';
import { badRequest, created, json, noContent, redirect, status, stream, text } from 'wapix';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';
import { runProgram } from './helpers/program.mjs';
import { serve } from './helpers/server.mjs';

captureErrors();

const INTERNAL = '{"error":"Internal Server Error"}';

const withHeader = (name, value) => () => json({}, { [name]: value });

/** What a handler does, and what the log names of it. */
const FAILING = [
  ['throws', () => { throw new Error('thrown on purpose'); }, 'thrown on purpose'],
  ['rejects', async () => { throw new Error('rejected on purpose'); }, 'rejected on purpose'],
  ['throws a string', () => { throw 'just a string'; }, 'just a string'],
  ['throws nothing', () => { throw undefined; }, 'undefined'],
  ['rejects with null', () => Promise.reject(null), 'null'],
  ['throws a result', () => { throw badRequest({ thrown: true }); }, '400'],
  ['returns nothing', () => {}, 'nothing'],
  ['resolves to nothing', async () => {}, 'nothing'],
  ['returns null', () => null, 'null'],
  ['returns a string', () => 'hello', 'string'],
  ['returns a number', () => 200, 'number'],
  ['returns a plain object', () => ({ status: 200, body: 'x' }), 'object'],
  ['returns Response.error()', () => Response.error(), 'Response.error()'],
  ['redirects to a Location that splits', () => redirect('/a\r\nset-cookie: b'), 'location'],
  ['redirects with a Headers', () => redirect('/a', 302, new Headers({ 'x-a': '1' })), 'plain object'],
  ['returns a function', () => json, 'function'],
  ['returns an array of results', () => [json({})], 'object'],
  // biome-ignore lint/suspicious/noThenProperty: what `await` looks at, a handler may get wrong
  ['returns a thenable that throws', () => ({ get then() { throw new Error('bad then'); } }), 'bad then'],
  ['returns data without a JSON form', () => json(1n), 'BigInt'],
  ['returns circular data', () => { const data = {}; data.data = data; return json(data); }, 'circular'],
  ['returns data that throws', () => json({ toJSON() { throw new Error('no JSON'); } }), 'no JSON'],
  ['uses a status that is none', () => status(99), '99'],
  ['streams what is no stream', () => stream({}), 'Readable'],
  ['streams a Writable', () => stream(new Writable()), 'Readable'],
  ['streams a string', () => stream('text'), 'Readable'],
  ['sends a header with CR', withHeader('x-a', 'a\rb'), 'x-a'],
  ['sends a header with LF', withHeader('x-a', 'a\nb'), 'x-a'],
  ['splits the response', withHeader('x-a', 'a\r\n\r\n<script>'), 'x-a'],
  ['sends a header with NUL', withHeader('x-a', 'a\0b'), 'x-a'],
  ['sends a header with DEL', withHeader('x-a', 'a\x7fb'), 'x-a'],
  ['sends a header above U+00FF', withHeader('x-a', 'Ā'), 'x-a'],
  ['sends a header with an emoji', withHeader('x-a', '🦀'), 'x-a'],
  ['sends one bad header of an array', withHeader('set-cookie', ['a=1', 'b=\n']), 'set-cookie'],
  ['sends a bad Location', () => json({}, { location: '/a\r\nset-cookie: b' }), 'location'],
  ['streams a type that splits the response', () => stream(Readable.from('x'), 'a/b\r\nx: y'), 'content-type'],
  ['creates at a Location that splits', () => created({}, '/a\r\nset-cookie: b'), 'location'],
  ['names a header with a space', withHeader('x a', '1'), 'x a'],
  ['names a header with a line break', withHeader('x\r\na', '1'), 'header'],
  ['names a header with a colon', withHeader('x:', '1'), 'x:'],
  ['names a header with an umlaut', withHeader('ü', '1'), 'ü'],
  ['names a header with nothing', withHeader('', '1'), 'header'],
  ['gives a header a value that cannot be text', withHeader('x-a', Object.create(null)), ''],
  ['gives a Headers', () => json({}, new Headers({ 'x-a': '1' })), 'plain object'],
  ['streams with a Map of headers', () => stream(Readable.from('x'), 'a/b', new Map()), 'plain object'],
  ['declares another length', withHeader('content-length', '5'), 'Content-Length'],
  ['declares a length that is none', withHeader('content-length', 'many'), 'Content-Length'],
  ['declares two lengths', withHeader('content-length', ['2', '2']), 'Content-Length'],
  ['declares a transfer coding', withHeader('transfer-encoding', 'gzip'), 'Transfer-Encoding'],
]; // biome-ignore format: a table

for (const [index, [name, get, logged]] of FAILING.entries()) {
  test(`a handler that ${name}: 500, logged once, the server alive`, async (t) => {
    const path = `/failing-${index}-`;
    const server = await serve(t, {
      [path]: { get },
      '/alive': { get: () => text('alive') },
      '/empty': { get: () => noContent() },
    });
    const client = await connect(t, server);
    client.send(requestBytes(`GET ${path}`));
    const response = await client.response();
    t.is(response.status, 500);
    t.is(response.text, INTERNAL);
    t.is(response.field('content-type'), 'application/json');
    t.is(response.field('x-a'), undefined);
    client.send(requestBytes('GET /alive'));
    t.is((await client.response()).text, 'alive');
    const entries = errorsNaming(path);
    t.is(entries.length, 1, entries.join('\n'));
    t.true(entries[0].toLowerCase().includes(logged.toLowerCase()), entries[0]);
    t.true(entries[0].includes(`GET ${path}`));
  });
}

for (const [name, headers] of [
  ['a header name of 70,000 characters', { ['x'.repeat(70_000)]: '1' }],
  ['40,000 header fields', { 'x-a': Array(40_000).fill('1') }],
  ['a header value of 1,000,000 characters', { 'x-a': 'v'.repeat(1_000_000) }],
]) {
  test(`${name} get an answer, and the server lives on`, async (t) => {
    const server = await serve(t, {
      '/': { get: () => json({}, headers) },
      '/alive': { get: () => text('alive') },
    });
    const { status } = await request(t, server, 'GET /');
    t.true(status === 200 || status === 500, String(status));
    t.is((await request(t, server, 'GET /alive')).text, 'alive');
  });
}

test('a failed POST leaves the connection good', async (t) => {
  const server = await serve(t, {
    '/': {
      post: ({ body }) => {
        if (body === 'fail') throw new Error('/failed-post');
        return text(body);
      },
    },
  });
  const client = await connect(t, server);
  client.send(requestBytes('POST /', {}, 'fail'), requestBytes('POST /', {}, 'fine'));
  t.is((await client.response()).status, 500);
  t.is((await client.response()).text, 'fine');
});

test('one failure in a batch leaves the others alone', async (t) => {
  const server = await serve(t, {
    '/:id': {
      get: ({ params }) => {
        if (Number(params.id) % 3 === 0) throw new Error(`/in-a-batch ${params.id}`);
        return text(params.id);
      },
    },
  });
  const clients = await Promise.all(Array.from({ length: 60 }, () => connect(t, server)));
  for (const [index, client] of clients.entries()) client.send(requestBytes(`GET /${index}`));
  for (const [index, client] of clients.entries()) {
    const response = await client.response();
    t.is(response.text, index % 3 === 0 ? INTERNAL : String(index));
  }
  t.is(errorsNaming('/in-a-batch').length, 20);
});

test('what is escaped in a URL takes nothing from what is logged', async (t) => {
  const get = () => {
    throw new Error('thrown at a placeholder');
  };
  const server = await serve(t, { '/placeholders': { get } });
  await request(t, server, 'GET /placeholders?q=%c3%bc%s%d%o');
  const [entry] = errorsNaming('thrown at a placeholder');
  t.regex(entry, /^wapix: GET \/placeholders\?q=%c3%bc%s%d%o failed: Error: thrown[\s\S]*at get /);
  // A terminal may take it for the beginning of a command.
  await request(t, server, 'GET /placeholders?q=\xc2\x9b2J');
  t.regex(
    errorsNaming('thrown at a placeholder')[1],
    /^wapix: GET \/placeholders\?q=%C2%9B2J failed/,
  );
});

const FAILING_PROGRAM = `
  import { createServer, text } from 'wapix';
  function inner() { throw new Error('thrown on purpose', { cause: new Error('its cause') }); }
  const server = createServer({
    '/throws': { get: function outerHandler() { inner(); } },
    '/rejects': { get: async function asyncHandler() { await null; inner(); } },
    '/later': { get: () => { setImmediate(() => { throw new Error('thrown later'); }); return text('sent'); } },
  });
  process.on('uncaughtException', ({ message }) => console.log('uncaught', message));
  server.listen(0, '127.0.0.1', () => console.log('port', server.address().port));
`;

test('the cause is on stderr, once, with its stack', async (t) => {
  const program = runProgram(t, FAILING_PROGRAM);
  const [, port] = await program.printed(/port (\d+)/);
  for (const path of ['/throws', '/rejects']) {
    t.is((await fetch(`http://127.0.0.1:${port}${path}`)).status, 500);
  }
  t.is(await (await fetch(`http://127.0.0.1:${port}/later`)).text(), 'sent');
  await program.printed(/uncaught thrown later/);
  program.child.kill('SIGKILL');
  await program.exit();
  t.is(program.stderr.match(/thrown on purpose/g)?.length, 2, program.stderr);
  t.is(program.stderr.match(/its cause/g)?.length, 2);
  t.regex(program.stderr, /at inner[\s\S]*at (Object\.)?outerHandler/);
  t.regex(program.stderr, /at inner[\s\S]*at (async )?(Object\.)?asyncHandler/);
  t.notRegex(program.stdout, /on purpose/);
});
