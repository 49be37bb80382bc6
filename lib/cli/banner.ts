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
