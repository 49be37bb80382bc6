import test from 'ava';
import { createServer, json, stream, text } from 'wapix';
import { CERT, KEY } from './helpers/certificate.mjs';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { captureErrors } from './helpers/log.mjs';
import { serve } from './helpers/server.mjs';

captureErrors();

const NAMES = [
  'x-content-type-options',
  'referrer-policy',
  'x-frame-options',
  'content-security-policy',
  'strict-transport-security',
];
const USUAL = ['nosniff', 'no-referrer', 'SAMEORIGIN', "frame-ancestors 'self'"];
const securityOf = (response) => NAMES.map((name) => response.field(name));

const ROUTES = {
  '/': { get: () => text('x') },
  '/stream': { get: () => stream(new Blob(['x']).stream()) },
  '/fails': {
    get: () => {
      throw new Error('on purpose');
    },
  },
  '/own': {
    get: () =>
      json(
        {},
        {
          'Referrer-Policy': 'origin',
          'CONTENT-SECURITY-POLICY': 'sandbox',
          'x-a': 'x-frame-options',
        },
      ),
  },
};

for (const line of ['GET /', 'GET /stream', 'GET /fails', 'GET /none', 'PUT /', 'OPTIONS /']) {
  test(`securityHeaders: ${line}`, async (t) => {
    const server = await serve(t, ROUTES, { securityHeaders: true });
    t.deepEqual(securityOf(await request(t, server, line)), [...USUAL, undefined]);
  });
}

test('securityHeaders: those of a handler win', async (t) => {
  const server = await serve(t, ROUTES, { securityHeaders: true });
  const own = ['nosniff', 'origin', 'SAMEORIGIN', 'sandbox', undefined];
  t.deepEqual(securityOf(await request(t, server, 'GET /own')), own);
});

test('securityHeaders: Strict-Transport-Security over HTTPS only', async (t) => {
  const server = await serve(t, ROUTES, {
    securityHeaders: true,
    https: { key: KEY, cert: CERT },
  });
  const client = await connect(t, server, { tls: true });
  client.send(requestBytes('GET /'));
  t.deepEqual(securityOf(await client.response()), [...USUAL, 'max-age=31536000']);

  const behind = await serve(t, ROUTES, { securityHeaders: true, trustProxy: 'loopback' });
  const forwarded = await request(t, behind, 'GET /', { 'x-forwarded-proto': 'https' });
  t.is(forwarded.field('strict-transport-security'), 'max-age=31536000');
});

test('securityHeaders: each can be another, or none', async (t) => {
  const another = {
    contentTypeOptions: false,
    referrerPolicy: 'same-origin',
    frameOptions: 'DENY',
    strictTransportSecurity: 'max-age=60; includeSubDomains',
  };
  const https = { key: KEY, cert: CERT };
  const server = await serve(t, ROUTES, { https, securityHeaders: another });
  const client = await connect(t, server, { tls: true });
  client.send(requestBytes('GET /'));
  t.deepEqual(securityOf(await client.response()), [
    undefined,
    'same-origin',
    'DENY',
    "frame-ancestors 'none'",
    'max-age=60; includeSubDomains',
  ]);

  const none = {
    contentTypeOptions: false,
    referrerPolicy: false,
    frameOptions: false,
    strictTransportSecurity: false,
  };
  const bare = await serve(t, ROUTES, { https, securityHeaders: none });
  const bareClient = await connect(t, bare, { tls: true });
  bareClient.send(requestBytes('GET /'));
  t.deepEqual(
    securityOf(await bareClient.response()),
    NAMES.map(() => undefined),
  );
});

test('without the option there are none', async (t) => {
  for (const options of [{}, { securityHeaders: false }]) {
    const server = await serve(t, ROUTES, options);
    t.deepEqual(
      securityOf(await request(t, server, 'GET /')),
      NAMES.map(() => undefined),
    );
  }
});

test('securityHeaders and cors together', async (t) => {
  const server = await serve(t, ROUTES, { securityHeaders: true, cors: { origin: '*' } });
  const response = await request(t, server, 'GET /', { origin: 'https://app.example' });
  t.is(response.field('access-control-allow-origin'), '*');
  t.deepEqual(securityOf(response), [...USUAL, undefined]);
});

for (const securityHeaders of [
  { frameOptions: 'ALLOW-FROM x' },
  { referrerPolicy: 'a\r\nb: c' },
  { referrerPolicy: true },
  { strictTransportSecurity: 'a\n' },
  { hsts: false },
]) {
  test(`securityHeaders refuses ${JSON.stringify(securityHeaders)}`, (t) => {
    t.throws(() => createServer({}, { securityHeaders }), {
      code: 'WAPIX_INVALID_OPTION',
      message: /^securityHeaders: /,
    });
  });
}
