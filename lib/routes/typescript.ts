import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { JitiOptions } from 'jiti' with { 'resolution-mode': 'import' };
import { version } from '../version.js';
import { withInterop } from './interop.js';

/** Imports a file, given its absolute path. */
export type Importer = (file: string) => Promise<unknown>;

/**
 * Makes an importer that runs TypeScript, and finds what it imports without a file extension, in
 * projects of any module type.
 *
 * @param directory - a directory of the project
 */
export async function createTypeScriptImporter(directory: string): Promise<Importer> {
  // Imported here: a project of plain JavaScript does without.
  const { createJiti } = await import('jiti');
  const transpiler = createJiti(directory, { interopDefault: false, fsCache: false });
  const options: JitiOptions = {
    interopDefault: false,
    fsCache: cacheDirectory(directory),
    // Routes get the very package that serves them: a second copy would not know its results.
    virtualModules: { wapix: await import('../index.js') },
    transform: (source) => ({ code: withInterop(transpiler.transform(source)) }),
  };
  const parent = join(directory, 'routes.ts');
  try {
    const jiti = createJiti(parent, { ...options, tsconfigPaths: true });
    return (file) => jiti.import(file);
  } catch {
    // A tsconfig.json may extend a package that is installed for development only: do without
    // its `paths`.
    const jiti = createJiti(parent, options);
    return (file) => jiti.import(file);
  }
}

/** Where transpiled files stay between runs: beside the installed packages, and gone with them. */
function cacheDirectory(directory: string): string | false {
  const modules = join(directory, 'node_modules');
  if (existsSync(modules)) return join(modules, '.cache', 'wapix', version);
  const parent = dirname(directory);
  return parent !== directory && cacheDirectory(parent);
}
