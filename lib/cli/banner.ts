import { WapixError } from '../errors.js';
import type { RouteFile } from '../routes/scan.js';
import { show } from '../routes/show.js';

/** The routes, one a line: method, path, file. */
export function routeTable(files: readonly RouteFile[]): string {
  const widest = Math.max(0, ...files.map(({ path }) => path.length));
  const lines = files.map(
    ({ method, path, file }) =>
      `  ${method.toUpperCase().padEnd(7)}  ${path.padEnd(widest)}  → ${show(file)}\n`,
  );
  return lines.join('');
}

/** There is nothing to show. */
export function noRoutes(directory: string): WapixError {
  return new WapixError(
    'WAPIX_ROUTES_NOT_FOUND',
    `${show(directory)} has no route files.\nA route is a file named after its method: get.ts.`,
  );
}
