// Keys and certificates: which are read, what is wrong with others, and how they are renewed.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { rmSync, symlinkSync, utimesSync } from 'node:fs';
import { get } from 'node:https';
import { connect as connectTls } from 'node:tls';
import test from 'ava';
import { createServer, stream, text } from 'wapix';
import { answering, wapix } from './fixtures/cli.mjs';
import { project } from './fixtures/project.mjs';
import { CERT, CLIENT, KEY, OTHER } from './helpers/certificate.mjs';
import { connect, requestBytes } from './helpers/client.mjs';
import { once, until } from './helpers/events.mjs';
import { serve, serveGet } from './helpers/server.mjs';
import { manual } from './helpers/source.mjs';

const hello = () => text('hello');
const fingerprint = (pem) => new X509Certificate(pem).fingerprint256;

/** What a new connection to `port` is shown, and speaks. */
async function handshake(t, port, options = {}) {
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  t.teardown(() => socket.destroy());
  await once(socket, 'secureConnect');
  const shown = socket.getPeerX509Certificate().fingerprint256;
  return { shown, protocol: socket.getProtocol() };
}

/** The response to a request over TLS, with a certificate of the client's `own`. */
function securely(server, own) {
  return new Promise((resolve, reject) => {
    const options = { port: portOf(server), host: '127.0.0.1', rejectUnauthorized: false, ...own };
    get({ agent: false, ...options }, resolve).on('error', reject);
  });
}

const portOf = (server) => server.address().port;

const encrypted = { cipher: 'aes-256-cbc', passphrase: 'a word' };
const EC = { key: KEY, cert: CERT };
for (const [name, { key, cert }, type, options, passphrase] of [
  ['EC, PKCS #8', EC, 'pkcs8', {}],
  ['EC, SEC1', EC, 'sec1', {}],
  ['EC, PKCS #8, encrypted', EC, 'pkcs8', encrypted, 'a word'],
  ['EC, SEC1, encrypted', EC, 'sec1', encrypted, 'a word'],
  ['RSA, PKCS #8', OTHER, 'pkcs8', {}],
  ['RSA, PKCS #1', OTHER, 'pkcs1', {}],
  ['RSA, PKCS #1, encrypted', OTHER, 'pkcs1', encrypted, 'a word'],
]) {
  test(`a key: ${name}`, async (t) => {
    const pem = createPrivateKey(key).export({ type, format: 'pem', ...options });
    const https = { key: pem, cert, ...(passphrase && { passphrase }) };
    const server = await serveGet(t, hello, { https });
    t.is((await handshake(t, portOf(server))).shown, fingerprint(cert));
    if (!passphrase) return;
    for (const wrong of [undefined, 'another word']) {
      const error = t.throws(() => createServer({}, { https: { ...https, passphrase: wrong } }));
      t.is(error.code, 'WAPIX_INVALID_TLS');
    }
  });
}

test('TLS 1.2 and 1.3, and none before', async (t) => {
  const server = await serveGet(t, hello, { https: { key: KEY, cert: CERT } });
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    const only = { minVersion: version, maxVersion: version };
    t.is((await handshake(t, portOf(server), only)).protocol, version);
  }
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' };
  await t.throwsAsync(handshake(t, portOf(server), old), { message: /alert|protocol|version/i });
});

test('setSecureContext: new connections see the new certificate, open ones go on', async (t) => {
  const source = manual();
  const server = await serve(
    t,
    { '/': { get: () => stream(source) } },
    { https: { key: KEY, cert: CERT } },
  );
  const before = await connect(t, server, { tls: true });
  before.send(requestBytes('GET /'));
  await before.head();
  t.is(server.setSecureContext(OTHER), server);
  t.is((await handshake(t, portOf(server))).shown, fingerprint(OTHER.cert));
  source.push('still here');
  await before.through('still here');

  for (const wrong of [{ key: KEY, cert: OTHER.cert }, { key: 'no key', cert: CERT }, {}]) {
    t.throws(() => server.setSecureContext(wrong), { code: 'WAPIX_INVALID_TLS' });
  }
  t.is((await handshake(t, portOf(server))).shown, fingerprint(OTHER.cert));
});

test('ca: a client needs a certificate of that authority, also after a renewal', async (t) => {
  const https = { key: KEY, cert: CERT, ca: CLIENT.authority };
  const server = await serveGet(t, hello, { https });
  const statusOf = async (own) => {
    const response = await securely(server, own);
    return response.statusCode;
  };
  for (const renew of [() => {}, () => server.setSecureContext(OTHER)]) {
    renew();
    t.is(await statusOf({ key: CLIENT.key, cert: CLIENT.cert }), 200);
    await t.throwsAsync(statusOf({}), { message: /alert|reset|hang up/i });
    await t.throwsAsync(statusOf({ key: KEY, cert: CERT }), { message: /alert|reset|hang up/i });
  }
  // One that comes with a renewal is in force from then on.
  const open = await serveGet(t, hello, { https: { key: KEY, cert: CERT } });
  open.setSecureContext(https);
  open.setSecureContext(OTHER);
  t.is((await securely(open, { key: CLIENT.key, cert: CLIENT.cert })).statusCode, 200);
  await t.throwsAsync(securely(open, {}), { message: /alert|reset|hang up/i });
  for (const wrong of ['no certificate', KEY]) {
    const error = t.throws(() => createServer({}, { https: { ...https, ca: wrong } }));
    t.is(error.code, 'WAPIX_INVALID_TLS');
    t.regex(error.message, /`ca`/);
  }
});

test('setSecureContext of a server without TLS throws', async (t) => {
  const server = await serveGet(t, hello);
  t.throws(() => server.setSecureContext(OTHER), { code: 'WAPIX_INVALID_TLS' });
});

test('wapix start takes up what a link leads to, once it leads elsewhere', async (t) => {
  const { root, path } = project(t, {
    'lib/routes/get.mjs': answering('"secret"'),
    'archive/key1.pem': KEY,
    'archive/cert1.pem': CERT,
    'archive/key2.pem': OTHER.key,
    'archive/cert2.pem': OTHER.cert,
  });
  const lead = (to) => {
    for (const name of ['key', 'cert']) {
      rmSync(path(`${name}.pem`), { force: true });
      symlinkSync(path(`archive/${name}${to}.pem`), path(`${name}.pem`));
    }
  };
  lead(1);
  // The other one is written before, as by who copies both.
  const later = new Date(Date.now() + 1000);
  for (const name of ['key', 'cert']) utimesSync(path(`archive/${name}2.pem`), later, later);
  const run = wapix(t, root, ['start', '-p', '0', '--key', 'key.pem', '--cert', 'cert.pem']);
  const { port } = new URL(await run.url());
  lead(2);
  await until(() => /new certificate is in use/.test(run.stdout), 'it says that they are in use');
  t.is((await handshake(t, port)).shown, fingerprint(OTHER.cert));
});

test('wapix start takes up new files, and keeps the old where they do not fit', async (t) => {
  const { root, write } = project(t, {
    'lib/routes/get.mjs': answering('"secret"'),
    'tls/key.pem': KEY,
    'tls/cert.pem': CERT,
  });
  const files = ['--key', 'tls/key.pem', '--cert', 'tls/cert.pem'];
  const run = wapix(t, root, ['start', '-p', '0', ...files]);
  const { port } = new URL(await run.url());
  t.is((await handshake(t, port)).shown, fingerprint(CERT));
  write('tls/key.pem', OTHER.key);
  await until(() => /WAPIX_INVALID_TLS/.test(run.stderr), 'it says that they do not fit');
  t.is((await handshake(t, port)).shown, fingerprint(CERT));
  write('tls/cert.pem', OTHER.cert);
  await until(() => /new certificate is in use/.test(run.stdout), 'it says that they are in use');
  t.is((await handshake(t, port)).shown, fingerprint(OTHER.cert));
});
