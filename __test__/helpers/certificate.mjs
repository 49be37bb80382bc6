import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';

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

/** A key that belongs to no certificate. */
export const OTHER_KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString();
