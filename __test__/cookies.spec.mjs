import test from 'ava';
import { json, setCookie } from 'wapix';
import { request } from './helpers/client.mjs';
import { serveGet } from './helpers/server.mjs';

const READ = [
  ['none', [], {}],
  ['one', ['a=1'], { a: '1' }],
  ['several', ['a=1; b=2;c=3 ; d = 4'], { a: '1', b: '2', c: '3', d: '4' }],
  ['several fields', ['a=1', 'b=2'], { a: '1', b: '2' }],
  ['the first of a name', ['a=1; a=2'], { a: '1' }],
  ['names tell case apart', ['a=1; A=2'], { a: '1', A: '2' }],
  ['an escape is undone', ['a=%C3%BC%20%3B'], { a: 'ü ;' }],
  ['a broken escape stays', ['a=%zz; b=%C3'], { a: '%zz', b: '%C3' }],
  ['a plus is one', ['a=1+1'], { a: '1+1' }],
  ['an empty value', ['a=; b=2'], { a: '', b: '2' }],
  ['= in a value', ['a=b=c'], { a: 'b=c' }],
  ['what is no pair is passed over', ['a; b=2; ;'], { b: '2' }],
  [
    'names of every object',
    ['__proto__=1; constructor=2'],
    { ['__proto__']: '1', constructor: '2' },
  ],
];

for (const [name, cookie, expected] of READ) {
  test(`req.cookies: ${name}`, async (t) => {
    const server = await serveGet(t, (req) => {
      const { cookies } = req;
      const isPlain = Object.getPrototypeOf(cookies) === null;
      return json({ pairs: Object.entries(cookies), isPlain, isKept: cookies === req.cookies });
    });
    const response = await request(t, server, 'GET /', { cookie });
    t.deepEqual(response.json, { pairs: Object.entries(expected), isPlain: true, isKept: true });
  });
}

const WRITTEN = [
  ['a plain one', ['a', '1'], 'a=1'],
  ['an empty one', ['a', ''], 'a='],
  ['a value is encoded', ['a', 'ü ;,"\\\r\n'], 'a=%C3%BC%20%3B%2C%22%5C%0D%0A'],
  ['maxAge', ['a', '1', { maxAge: 0 }], 'a=1; Max-Age=0'],
  ['expires', ['a', '1', { expires: new Date(0) }], 'a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT'],
  [
    'all',
    [
      'a',
      '1',
      {
        domain: 'example.com',
        path: '/b',
        maxAge: 60,
        httpOnly: true,
        secure: true,
        sameSite: 'none',
        partitioned: true,
      },
    ],
    'a=1; Max-Age=60; Domain=example.com; Path=/b; HttpOnly; Secure; Partitioned; SameSite=None',
  ],
  ['Lax', ['a', '1', { sameSite: 'lax' }], 'a=1; SameSite=Lax'],
  ['Strict', ['a', '1', { sameSite: 'strict' }], 'a=1; SameSite=Strict'],
  ['false is nothing', ['a', '1', { httpOnly: false, secure: false, partitioned: false }], 'a=1'],
  ['undefined is nothing', ['a', '1', { path: undefined, maxAge: undefined }], 'a=1'],
  ['__Host-', ['__Host-a', '1', { secure: true, path: '/' }], '__Host-a=1; Path=/; Secure'],
  ['__Secure-', ['__Secure-a', '1', { secure: true }], '__Secure-a=1; Secure'],
];

for (const [name, args, expected] of WRITTEN) {
  test(`setCookie: ${name}`, (t) => {
    t.is(setCookie(...args), expected);
  });
}

const REFUSED = [
  ['no name', ['', '1']],
  ['a name with a space', ['a b', '1']],
  ['a name with =', ['a=b', '1']],
  ['a name with ;', ['a;b', '1']],
  ['a name that is no token', ['a"', '1']],
  ['a name with a line break', ['a\r\n', '1']],
  ['a path with ;', ['a', '1', { path: '/; Domain=x' }]],
  ['a path with a line break', ['a', '1', { path: '/\n' }]],
  ['a domain that is none', ['a', '1', { domain: 'a b' }]],
  ['half a second', ['a', '1', { maxAge: 0.5 }]],
  ['NaN seconds', ['a', '1', { maxAge: Number.NaN }]],
  ['no date', ['a', '1', { expires: new Date('x') }]],
  ['an unknown sameSite', ['a', '1', { sameSite: 'some' }]],
  ['a misspelt attribute', ['a', '1', { httponly: true }], /"httponly"/],
  ['None without Secure', ['a', '1', { sameSite: 'none' }], /secure: true/],
  ['NONE without Secure', ['a', '1', { sameSite: 'None' }], /secure: true/],
  ['a secure that is no boolean', ['a', '1', { secure: 1 }], /secure is true or false, not 1/],
  ['an httpOnly that is no boolean', ['a', '1', { httpOnly: 'true' }], /httpOnly is true or false/],
  ['Partitioned without Secure', ['a', '1', { partitioned: true }], /secure: true/],
  ['__Secure- without Secure', ['__Secure-a', '1'], /secure: true/],
  ['__Host- without a path', ['__Host-a', '1', { secure: true }], /path: "\/"/],
  [
    '__Host- with a domain',
    ['__Host-a', '1', { secure: true, path: '/', domain: 'a.b' }],
    /domain/,
  ],
];

for (const [name, args, message = /^setCookie\(/] of REFUSED) {
  test(`setCookie refuses ${name}`, (t) => {
    t.throws(() => setCookie(...args), { code: 'WAPIX_INVALID_COOKIE', message });
  });
}

test('what setCookie makes is sent, and read again', async (t) => {
  const value = 'ü; {"a": [1, 2]} %20 €';
  const server = await serveGet(t, (req) =>
    json(req.cookies, {
      'Set-Cookie': [setCookie('a', value), setCookie('b', '2', { path: '/' })],
    }),
  );
  const first = await request(t, server, 'GET /');
  const sent = first.fields.filter(([name]) => name === 'set-cookie').map(([, field]) => field);
  t.is(sent.length, 2);
  const cookie = sent.map((field) => field.split(';')[0]).join('; ');
  t.deepEqual((await request(t, server, 'GET /', { cookie })).json, { a: value, b: '2' });
});
