import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { JitiOptions, TransformOptions } from 'jiti' with { 'resolution-mode': 'import' };
import { version } from '../version.js';
import { ModuleMap } from './modules.js';

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
  // jiti's own interop remembers the first value read of each export, so that a binding assigned
  // later never changes for the importer. It is off, and `ModuleMap` stands in for it.
  const transpiler = createJiti(directory, { interopDefault: false, fsCache: false });
  const modules = new ModuleMap([PACKAGE]);
  const options: JitiOptions = {
    interopDefault: false,
    fsCache: cacheDirectory(directory),
    transform: (source) => ({ code: throughModuleMap(source, transpiler.transform(source)) }),
    virtualModules: {
      [MODULE_MAP]: modules,
      // Routes get the very package that serves them: a second copy would not know its results.
      [PACKAGE]: await import('../index.js'),
    },
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

/** Loads what {@link createTypeScriptImporter} needs, which takes longer than to use it. */
export async function warmUp(): Promise<void> {
  const { createJiti } = await import('jiti');
  createJiti(__filename, { fsCache: false }).transform({
    source: 'const warm: boolean = true;',
    ts: true,
    async: true,
  });
}

const PACKAGE = 'wapix';

/** What a transpiled module finds the {@link ModuleMap} under. */
const MODULE_MAP = 'wapix:modules';
const PROLOGUE =
  `"use strict";const wapixImport = require("${MODULE_MAP}")` +
  '.importerFor(__filename, jitiImport, jitiESMResolve);';

/** Makes the imports of transpiled code go through the {@link ModuleMap}; no line moves. */
function throughModuleMap(source: TransformOptions, code: string): string {
  if (!source.async || !code.includes('jitiImport(')) return code;
  return PROLOGUE + code.replace(/\bjitiImport\(/g, 'wapixImport(');
}

/** Where transpiled files stay between runs: beside the installed packages, and gone with them. */
function cacheDirectory(directory: string): string | false {
  const modules = join(directory, 'node_modules');
  if (existsSync(modules)) return join(modules, '.cache', 'wapix', version);
  const parent = dirname(directory);
  return parent !== directory && cacheDirectory(parent);
}
