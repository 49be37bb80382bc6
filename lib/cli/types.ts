import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { WapixError } from '../errors.js';
import { scanRoutes } from '../routes/scan.js';
import { show } from '../routes/show.js';
import { typesOf } from '../routes/types.js';
import { report } from './report.js';

/** Where the types are, beside the tsconfig.json whose `rootDirs` has it. */
const DIRECTORY = '.wapix/types';

/**
 * `wapix types`: writes the types of the routes, and says where.
 *
 * @throws what {@link scanRoutes} throws; `WAPIX_NO_TSCONFIG` where no tsconfig.json is above `routes`
 */
export function types(routes: string): void {
  const tsconfig = findTsconfig(routes);
  if (!tsconfig) {
    throw new WapixError(
      'WAPIX_NO_TSCONFIG',
      `There is no tsconfig.json in a directory above ${show(routes)}.\n` +
        `Create one beside package.json: { "compilerOptions": { ${ROOT_DIRS} } }`,
    );
  }
  const directory = write(routes, tsconfig);
  process.stdout.write(`  The types of ${show(routes)} are in ${show(directory)}.\n`);
  if (!asksForTypes(tsconfig)) {
    process.stdout.write(
      `  For TypeScript to find them, add to compilerOptions of ${show(tsconfig)}: ${ROOT_DIRS}\n`,
    );
  }
}

/** Writes the types where the project asks for them, and the routes are such as can be served. */
export function refreshTypes(routes: string): void {
  const tsconfig = findTsconfig(routes);
  if (!tsconfig || !asksForTypes(tsconfig)) return;
  try {
    write(routes, tsconfig);
  } catch (error) {
    // Routes that cannot be served are reported by the process that loads them.
    if (!(error instanceof WapixError)) report(error);
  }
}

const ROOT_DIRS = `"rootDirs": [".", "${DIRECTORY}"]`;

function asksForTypes(tsconfig: string): boolean {
  return readFileSync(tsconfig, 'utf8').includes(DIRECTORY);
}

function findTsconfig(directory: string): string | undefined {
  const file = join(directory, 'tsconfig.json');
  if (existsSync(file)) return file;
  const parent = dirname(directory);
  return parent === directory ? undefined : findTsconfig(parent);
}

/** Makes the directory hold the types of the routes there are, and of no others; returns it. */
function write(routes: string, tsconfig: string): string {
  const project = dirname(tsconfig);
  const directory = join(project, DIRECTORY);
  const ours = join(directory, relative(project, routes));
  const files = new Map<string, string>();
  for (const [route, content] of typesOf(scanRoutes(routes))) {
    files.set(join(directory, relative(project, route), '$types.d.ts'), content);
  }
  for (const file of filesIn(ours)) if (!files.has(file)) rmSync(file, { force: true });
  for (const [file, content] of files) {
    // A file that is written again makes `tsc --watch` check again.
    if (existsSync(file) && readFileSync(file, 'utf8') === content) continue;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  return directory;
}

function filesIn(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
