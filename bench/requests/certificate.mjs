import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const fixtures = join(import.meta.dirname, '../../__test__/fixtures');

export const KEY_FILE = join(fixtures, 'localhost.key.pem');
export const CERT_FILE = join(fixtures, 'localhost.cert.pem');
export const key = readFileSync(KEY_FILE, 'utf8');
export const cert = readFileSync(CERT_FILE, 'utf8');

/** `http`, `https`, or `h2`: HTTP/2 over TLS. */
export const PROTOCOL = process.env.BENCH_PROTOCOL ?? 'http';
