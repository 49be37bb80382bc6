// Modules that many servers never need, loaded when they are: `http` alone is some 3 ms of a server's
// start, the others one each.

let loadedCookie: typeof import('cookie') | undefined;
let loadedCrypto: typeof import('node:crypto') | undefined;
let loadedDns: typeof import('node:dns') | undefined;
let loadedHttp: typeof import('node:http') | undefined;

/** `cookie`. */
export function cookie(): typeof import('cookie') {
  loadedCookie ??= require('cookie') as typeof import('cookie');
  return loadedCookie;
}

/** `node:crypto`. */
export function crypto(): typeof import('node:crypto') {
  loadedCrypto ??= process.getBuiltinModule('node:crypto');
  return loadedCrypto;
}

/** `node:dns`. */
export function dns(): typeof import('node:dns') {
  loadedDns ??= process.getBuiltinModule('node:dns');
  return loadedDns;
}

/** `node:http`. */
export function http(): typeof import('node:http') {
  loadedHttp ??= process.getBuiltinModule('node:http');
  return loadedHttp;
}
