import { dirname } from 'node:path';
import type { RouteFile } from './scan.js';

/**
 * The `$types.d.ts` of each directory with route files, by the directory's absolute path: what makes
 * `req.params` of its handlers exact.
 */
export function typesOf(files: readonly RouteFile[]): Map<string, string> {
  return new Map(files.map(({ path, file }) => [dirname(file), declarations(path)]));
}

function declarations(pattern: string): string {
  return `// Written by \`wapix types\`.
import type { HttpResult, RequestHandler as Handler } from 'wapix';

/** The path parameters of this directory. */
export type Params = {${parameters(pattern)}};

/** A handler of this directory: its \`req.params\` are \`Params\`. */
export type RequestHandler<
  Response extends HttpResult<any> | globalThis.Response = HttpResult<any> | globalThis.Response,
  Body = any,
  Query = Record<string, string>,
> = Handler<Params, Response, Body, Query>;
`;
}

function parameters(pattern: string): string {
  const names = pattern
    .split('/')
    .filter((segment) => /^[:*]/.test(segment))
    // In quotes: a name may have a dash in it.
    .map((segment) => ` ${JSON.stringify(segment.slice(1))}: string;`);
  return names.length > 0 ? `${names.join('')} ` : '';
}
