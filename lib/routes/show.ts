import { relative } from 'node:path';

/** A path as the user would type it: relative inside the working directory. */
export function show(path: string): string {
  const local = relative(process.cwd(), path);
  return local === '' || local.startsWith('..') ? path : local;
}
