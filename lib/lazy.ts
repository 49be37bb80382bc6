// Modules of Node's own that many servers never need, loaded when they are: `http` alone is some 3 ms of
// a server's start.

let loadedHttp: typeof import('node:http') | undefined;
let loadedCrypto: typeof import('node:crypto') | undefined;

/** `node:http`. */
export function http(): typeof import('node:http') {
  loadedHttp ??= process.getBuiltinModule('node:http');
  return loadedHttp;
}

/** `node:crypto`. */
export function crypto(): typeof import('node:crypto') {
  loadedCrypto ??= process.getBuiltinModule('node:crypto');
  return loadedCrypto;
}
