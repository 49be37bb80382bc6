// What the loader emits for `import … from "…"`; a dynamic import is never awaited in place.
const STATIC_IMPORT = /\bawait jitiImport\(("(?:[^"\\]|\\.)*")\)/g;

/**
 * Gives the static imports of a transpiled module the default export a TypeScript user expects,
 * whichever way the imported module was written.
 *
 * The loader's own interop wraps each module in a proxy that remembers the first value read of
 * each export, so that a binding assigned later never changes for the importer. It is off, and
 * this stands in for it.
 */
export function withInterop(code: string): string {
  const wrapped = code.replace(STATIC_IMPORT, 'interopImport(await jitiImport($1))');
  // Declared last, where it moves no line of the user's.
  return wrapped === code ? code : `${wrapped}\n${interopImport}`;
}

/**
 * The exports to import from. Becomes part of each transpiled module, as text: it refers to nothing
 * outside itself. What an ES module exports is passed on as it is, live.
 */
// biome-ignore lint/suspicious/noExplicitAny: a module may export anything
function interopImport(module: any): any {
  const isObject = (value: unknown): boolean =>
    (typeof value === 'object' && value !== null) || typeof value === 'function';
  const fromCommonJs = (exports: object) => Object.create(exports, { default: { value: exports } });

  if (!isObject(module)) return { default: module };
  if (module[Symbol.toStringTag] !== 'Module') {
    return module.__esModule || 'default' in module ? module : fromCommonJs(module);
  }
  const main = module.default;
  if (!isObject(main)) return module;
  // An ES module that a compiler wrote as CommonJS.
  if (module.__esModule) return main.__esModule && 'default' in main ? main : module;
  const named = Object.keys(module).some((key) => key !== 'default' && key !== 'module.exports');
  return named ? module : fromCommonJs(main);
}
