import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const read = (name) => readFileSync(new URL(`../fixtures/${name}`, import.meta.url), 'utf8');

/** A self-signed certificate for localhost, and its key. */
export const CERT = read('localhost.cert.pem');
export const KEY = read('localhost.key.pem');

/** Another certificate for localhost, and its key. */
export const OTHER = { cert: read('other.cert.pem'), key: read('other.key.pem') };

/** A client's certificate, its key, and the authority that issued it. */
export const CLIENT = {
  authority: read('client-authority.cert.pem'),
  cert: read('client.cert.pem'),
  key: read('client.key.pem'),
};

/** A certificate for localhost that an authority has issued, its key, and the file of the authority's. */
export const REDIS = {
  cert: read('redis.cert.pem'),
  key: read('redis.key.pem'),
  authorityFile: fileURLToPath(new URL('../fixtures/redis-authority.cert.pem', import.meta.url)),
};

/** A key that belongs to no certificate. */
export const OTHER_KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString();
