import { X509Certificate } from 'node:crypto';
import { CERT, KEY, OTHER } from '../../__test__/helpers/certificate.mjs';

/** The two that the server changes between: an elliptic curve's, and an RSA one. */
export const CERTIFICATES = [{ key: KEY, cert: CERT }, OTHER];

/** By which a client knows them. */
export const FINGERPRINTS = CERTIFICATES.map(
  ({ cert }) => new X509Certificate(cert).fingerprint256,
);
