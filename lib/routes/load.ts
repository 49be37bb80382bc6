import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { RequestHandler, RouteEntry, Routes, ServerOptions } from '../../index.js';
import { WapixError } from '../errors.js';
import { readRouteConfig } from '../route-config.js';
import { wrappings } from './interop.js';
import { findOptionsFile, readOptionsFile } from './options-file.js';
import { type RouteFile, scanRoutes } from './scan.js';
import { show } from './show.js';
import { createTypeScriptImporter, type Importer } from './typescript.js';

/** What a routes directory holds. */
export interface LoadedRoutes {
  /** As `createServer` takes them. */
  readonly routes: Routes;
  readonly files: readonly RouteFile[];
  /** Those of its options file, none where it has none. */
  readonly options: ServerOptions;
}

/** After how long a file that is still loading is named: most have, long before. */
const STILL_LOADING_MS = 5_000;

type Imported = { file: string; module: unknown } | { file: string; error: unknown };

/**
 * Finds the route files under `directory` and imports their handlers.
 *
 * JavaScript alone is imported by Node itself. One TypeScript route, or an import that Node cannot
 * resolve for want of a file extension, and every route goes through the TypeScript loader: all of
 * them must share one instance of what they import.
 *
 * @throws what {@link scanRoutes} throws; `WAPIX_ROUTE_LOAD` for files that cannot be imported, the
 *   reason its `cause` (an `AggregateError` of several); `WAPIX_INVALID_ROUTE` for files with no
 *   function as default export; `WAPIX_INVALID_OPTION` for an options file that has none.
 */
export async function loadRoutes(directory: string): Promise<LoadedRoutes> {
  const root = resolve(directory);
  const files = scanRoutes(root);
  const optionsFile = findOptionsFile(root);
  const paths = files.map(({ file }) => file);
  // First: what it sets up, the routes may find.
  if (optionsFile !== undefined) paths.unshift(optionsFile);
  const native = !paths.some((path) => /ts$/.test(path));
  let imported = native ? await importAll(paths, importNative) : undefined;
  if (!imported || imported.some((one) => 'error' in one && isForLoader(one.error))) {
    imported = await importAll(paths, await createTypeScriptImporter(root));
  }
  const modules = modulesOf(imported);
  const options =
    optionsFile === undefined ? {} : readOptionsFile(optionsFile, modules.get(optionsFile));
  return { routes: toRoutes(files, modules), files, options };
}

/** One after the other: modules loading at once could see each other's imports half evaluated. */
async function importAll(files: readonly string[], importer: Importer): Promise<Imported[]> {
  const imported: Imported[] = [];
  for (const file of files) {
    const slow = setTimeout(sayStillLoading, STILL_LOADING_MS, file).unref();
    try {
      imported.push({ file, module: await orNever(importer(file)) });
    } catch (error) {
      imported.push({ file, error });
    } finally {
      clearTimeout(slow);
    }
  }
  return imported;
}

/** Else nothing says why no server comes: a connection that something waits for keeps the process alive. */
function sayStillLoading(file: string): void {
  process.stderr.write(
    `  ${show(file)} is still loading: a top-level await in it, or in an import, may not settle.\n`,
  );
}

/** Fails where nothing is left to run that could settle `promise`: the process would just end. */
async function orNever<T>(promise: Promise<T>): Promise<T> {
  let fail = (): void => {};
  const never = new Promise<never>((_, reject) => {
    fail = () => reject(new Error('A top-level await in it, or in an import, is never settled.'));
  });
  process.once('beforeExit', fail);
  return Promise.race([promise, never]).finally(() => process.off('beforeExit', fail));
}

function importNative(file: string): Promise<unknown> {
  return import(pathToFileURL(file).href);
}

/** Whether Node failed on an import that the TypeScript loader can do, or can say more about. */
function isForLoader(error: unknown): boolean {
  return isWithoutExtension(error) || isUnplaced(error);
}

/** An import of TypeScript, or one that names a file without its extension. */
function isWithoutExtension(error: unknown): boolean {
  const { code, url } = Object(error);
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION') return true;
  if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'ERR_UNSUPPORTED_DIR_IMPORT') return false;
  if (!String(url).startsWith('file:')) return false;
  const path = fileURLToPath(url);
  return ['', '/index'].some((suffix) =>
    ['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts'].some((extension) =>
      existsSync(path + suffix + extension),
    ),
  );
}

/** A syntax error in an ES module, of which Node does not say where it is. */
function isUnplaced(error: unknown): boolean {
  if (!(error instanceof SyntaxError)) return false;
  const stack = error.stack ?? '';
  return stack.startsWith('SyntaxError') && !/^\s+at (?!.*node:)/m.test(stack);
}

function modulesOf(imported: readonly Imported[]): Map<string, unknown> {
  const failures = imported.filter((one) => 'error' in one);
  if (failures.length > 0) throw toLoadError(failures);
  return new Map(imported.map((one) => [one.file, 'module' in one && one.module]));
}

function toRoutes(files: readonly RouteFile[], modules: ReadonlyMap<string, unknown>): Routes {
  const routes: Routes = {};
  const problems: string[] = [];
  for (const { path, method, file } of files) {
    const loaded = toHandler(modules.get(file));
    if (loaded) routes[path] = { ...routes[path], [method]: withConfig(loaded, show(file)) };
    else problems.push(`${show(file)}: the default export is no function.`);
  }
  if (problems.length > 0) {
    problems.push('A route file exports its handler: export default (req) => …');
    throw new WapixError('WAPIX_INVALID_ROUTE', problems.join('\n'));
  }
  return routes;
}

/** A module's handler and what it says of its route. */
interface Loaded {
  readonly handler: RequestHandler;
  readonly config: unknown;
}

/** The handler, however deep it is wrapped, and `config` beside it. */
function toHandler(module: unknown): Loaded | undefined {
  let config: unknown;
  for (const value of wrappings(module)) {
    if (typeof value === 'function') return { handler: value as RequestHandler, config };
    config ??= (value as { config?: unknown }).config;
  }
  return undefined;
}

/** @throws `WAPIX_INVALID_ROUTE` */
function withConfig({ handler, config }: Loaded, file: string): RouteEntry {
  if (config === undefined) return handler;
  return { handler, config: readRouteConfig(file, config) };
}

function toLoadError(failures: readonly { file: string; error: unknown }[]): WapixError {
  const files = failures.map(({ file }) => `${show(file)} could not be loaded.`);
  const errors = distinct(failures.map(({ error }) => error));
  const cause = errors.length === 1 ? errors[0] : new AggregateError(errors);
  return new WapixError('WAPIX_ROUTE_LOAD', files.join('\n'), { cause });
}

/** Routes that import the same broken file fail with as many errors that say the same. */
function distinct(errors: readonly unknown[]): unknown[] {
  const keyOf = (error: unknown) => (error instanceof Error ? String(error) : error);
  return [...new Map(errors.map((error) => [keyOf(error), error])).values()];
}
