/**
 * A module to import from, with the default export a TypeScript user expects, whichever way it was
 * written. What an ES module or a TypeScript file exports is passed on as it is, live.
 */
// biome-ignore lint/suspicious/noExplicitAny: a module may export anything
export function interop(module: any): unknown {
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

/** A module, its default export, and what that has as one: compilers and CommonJS wrap it, some twice. */
export function* wrappings(module: unknown): Generator<unknown> {
  let value = module;
  for (let depth = 0; depth < 4 && value !== undefined && value !== null; depth++) {
    yield value;
    value = (value as { default?: unknown }).default;
  }
}

function isObject(value: unknown): boolean {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

/** `module.exports` as the default export, its properties as the named ones. */
function fromCommonJs(exports: object): object {
  return Object.create(exports, { default: { value: exports, enumerable: true } });
}
