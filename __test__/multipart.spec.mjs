import test from 'ava';
import { json } from 'wapix';
import { request } from './helpers/client.mjs';
import { originOf, serve } from './helpers/server.mjs';

const TYPE = 'multipart/form-data; boundary=XX';

/** A form as a handler can tell of it: files with their bytes. */
async function told(body) {
  const tell = async (value) =>
    value instanceof File
      ? {
          file: value.name,
          type: value.type,
          size: value.size,
          bytes: Buffer.from(await value.arrayBuffer()).toString('latin1'),
        }
      : value;
  const entries = Object.entries(body).map(async ([name, value]) => [
    name,
    Array.isArray(value) ? await Promise.all(value.map(tell)) : await tell(value),
  ]);
  return Promise.all(entries);
}

const ROUTES = {
  '/': {
    post: async ({ body }) =>
      json({ bare: Object.getPrototypeOf(body) === null, entries: await told(body) }),
  },
};

async function post(t, content, type = TYPE) {
  const server = await serve(t, ROUTES);
  const bytes = Buffer.from(content, 'latin1');
  return request(t, server, 'POST /', { 'content-type': type }, bytes);
}

const utf8 = (text) => Buffer.from(text).toString('latin1');
const part = (disposition, content, ...lines) =>
  `--XX\r\n${[`Content-Disposition: form-data; ${disposition}`, ...lines].join('\r\n')}\r\n\r\n${content}\r\n`;
const END = '--XX--\r\n';
const file = (name, bytes, type = 'text/plain') => ({
  file: name,
  type,
  size: bytes.length,
  bytes,
});

const BINARY = `\0\xff\r\n--X\r\n--XY--\r\n\r\n--xx--\r\n${String.fromCharCode(...Array(256).keys())}`;

const FORMS = [
  ['fields are strings', part('name="a"', '1') + part('name="b"', '') + END, [['a', '1'], ['b', '']]],
  ['field text is UTF-8', part('name="a"', utf8('ü🦀')) + END, [['a', 'ü🦀']]],
  ['field names are UTF-8', part(`name="${utf8('ü')}"`, '1') + END, [['ü', '1']]],
  ['a name without quotes', part('name=a', '1') + END, [['a', '1']]],
  ['a field keeps its line breaks', part('name="a"', '\r\n1\n\r\n') + END, [['a', '\r\n1\n\r\n']]],
  [
    'a field may have a type',
    part('name="a"', '{}', 'Content-Type: application/json') + END,
    [['a', '{}']],
  ],
  [
    'a file has name, type and bytes',
    part('name="f"; filename="a b.txt"', 'hello', 'Content-Type: text/plain') + END,
    [['f', file('a b.txt', 'hello')]],
  ],
  [
    'a file may hold anything but the boundary',
    part('name="f"; filename="a.bin"', BINARY, 'Content-Type: application/octet-stream') + END,
    [['f', file('a.bin', BINARY, 'application/octet-stream')]],
  ],
  [
    'an empty file',
    part('name="f"; filename="e"', '', 'Content-Type: text/plain') + END,
    [['f', file('e', '')]],
  ],
  [
    'a form with no file chosen',
    part('name="f"; filename=""', '', 'Content-Type: application/octet-stream') + END,
    [['f', file('', '', 'application/octet-stream')]],
  ],
  [
    'file names are UTF-8',
    part(`name="f"; filename="${utf8('ü🦀.txt')}"`, 'x', 'Content-Type: text/plain') + END,
    [['f', file('ü🦀.txt', 'x')]],
  ],
  [
    'browsers escape a quote and line breaks in names',
    part('name="a%22b"; filename="c%22d"', 'x', 'Content-Type: text/plain') + END,
    [['a"b', file('c"d', 'x')]],
  ],
  [
    'repeated names are arrays, in order',
    part('name="a"', '1') + part('name="b"', 'x') + part('name="a"', '2') + part('name="a"', '3') + END,
    [['a', ['1', '2', '3']], ['b', 'x']],
  ],
  [
    'repeated files too, and both kinds together',
    part('name="a"; filename="1"', 'x', 'Content-Type: text/plain') +
      part('name="a"', 'field') +
      part('name="a"; filename="2"', 'y', 'Content-Type: text/plain') +
      END,
    [['a', [file('1', 'x'), 'field', file('2', 'y')]]],
  ],
  [
    'names of Object.prototype',
    part('name="__proto__"', '1') + part('name="constructor"', '2') + part('name="__proto__"', '3') + END,
    [['__proto__', ['1', '3']], ['constructor', '2']],
  ],
  ['a preamble and an epilogue', `preamble\r\n${part('name="a"', '1')}${END}epilogue`, [['a', '1']]],
  ['no line break at the end', part('name="a"', '1') + END.trimEnd(), [['a', '1']]],
  ['header names in any case', `--XX\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n${END}`, [['a', '1']]],
  ['no parts', END, []],
]; // biome-ignore format: a table

for (const [name, content, entries] of FORMS) {
  test(`multipart: ${name}`, async (t) => {
    const response = await post(t, content);
    t.is(response.status, 200, response.text);
    t.deepEqual(response.json, { bare: true, entries });
    t.is({}.polluted, undefined);
  });
}

for (const boundary of ['"XX"', '"XX"; charset=utf-8', 'XX ; a=b']) {
  test(`multipart: boundary=${boundary}`, async (t) => {
    const response = await post(
      t,
      part('name="a"', '1') + END,
      `Multipart/Form-Data; Boundary=${boundary}`,
    );
    t.deepEqual(response.json.entries, [['a', '1']]);
  });
}

test('multipart: a boundary of every kind of character', async (t) => {
  const boundary = "0'()+_,-./:=?Z";
  const content = (part('name="a"', '1') + END).replaceAll('XX', boundary);
  const response = await post(t, content, `multipart/form-data; boundary="${boundary}"`);
  t.deepEqual(response.json.entries, [['a', '1']]);
});

const MALFORMED = [
  ['no boundary in the type', part('name="a"', '1') + END, /boundary/i, 'multipart/form-data'],
  ['no end', part('name="a"', '1') + part('name="b"', '2'), /part 3|part 2/],
  ['cut off within a part', part('name="a"', '1') + part('name="b"', '2').slice(0, -3), /part 2/],
  ['cut off within a part head', '--XX\r\nContent-Disposition: form-data; na', /part 1/],
  ['another boundary', (part('name="a"', '1') + END).replaceAll('XX', 'YY'), /part 1/],
  [
    'a part without a name',
    part('name="a"', '1') + part('filename="f"', '2') + END,
    /part 2.*name/,
  ],
  ['a part without Content-Disposition', `--XX\r\nX: y\r\n\r\n1\r\n${END}`, /part 1/],
  ['no multipart at all', '{"a":1}', /part 1/],
];

for (const [name, content, message, type] of MALFORMED) {
  test(`malformed multipart is 400 with what and where: ${name}`, async (t) => {
    const response = await post(t, content, type);
    t.is(response.status, 400, response.text);
    t.is(response.json.error, 'Bad Request');
    t.is(response.json.code, 'WAPIX_INVALID_MULTIPART');
    t.regex(response.json.message, message);
  });
}

test('what FormData sends, arrives', async (t) => {
  const server = await serve(t, ROUTES);
  const form = new FormData();
  form.append('text', 'ü\r\n"quoted"');
  form.append('a"b', 'x');
  form.append('files', new File(['one'], 'ü "1".txt', { type: 'text/plain' }));
  form.append('files', new File([Buffer.from([0, 255])], '2.bin', { type: 'image/png' }));
  const response = await fetch(originOf(server), { method: 'POST', body: form });
  const { entries } = await response.json();
  t.deepEqual(entries, [
    ['text', 'ü\r\n"quoted"'],
    ['a"b', 'x'],
    ['files', [file('ü "1".txt', 'one'), file('2.bin', '\0\xff', 'image/png')]],
  ]);
});

test('a file is a File of this process, and text() reads it', async (t) => {
  const server = await serve(t, {
    '/': {
      post: async ({ body }) =>
        json([
          body.f instanceof File,
          body.f instanceof Blob,
          await body.f.text(),
          await body.f.slice(1, 3).text(),
        ]),
    },
  });
  const content = part('name="f"; filename="f"', 'hello', 'Content-Type: text/plain') + END;
  const response = await request(t, server, 'POST /', { 'content-type': TYPE }, content);
  t.deepEqual(response.json, [true, true, 'hello', 'el']);
});
