import { scanRoutes } from '../routes/scan.js';
import { noRoutes, routeTable } from './banner.js';

/**
 * `wapix routes`: prints the routes in a directory, without running any of their code.
 *
 * @throws what `scanRoutes` throws; `WAPIX_ROUTES_NOT_FOUND` where it has none
 */
export function printRoutes(directory: string): void {
  const files = scanRoutes(directory);
  if (files.length === 0) throw noRoutes(directory);
  process.stdout.write(routeTable(files));
}
