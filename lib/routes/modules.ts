import { existsSync } from 'node:fs';
import { dirname, resolve as resolvePath } from 'node:path';
import { fileURLToPath } from 'node:url';
import { interop } from './interop.js';

type Import = (specifier: string) => Promise<unknown>;

/**
 * The modules that transpiled modules import, as the map of an ES module loader keeps them: each is
 * evaluated once, whoever imports it waits until it has been, and what it failed with is what it
 * fails with again.
 *
 * The loader alone hands out modules that are still being evaluated, their exports not yet there:
 * right in a cycle, but wrong for two handlers that happen to import one module at a time.
 */
export class ModuleMap {
  /** What the loader knows without looking for a file: there are as many imports of it as files. */
  readonly #known: ReadonlySet<string>;
  readonly #modules = new Map<string, Promise<unknown>>();
  /** The imports that are being waited for. */
  readonly #waits = new Set<{ readonly from: string; readonly to: string }>();

  constructor(known: readonly string[]) {
    this.#known = new Set(known);
  }

  /**
   * What `file` imports with.
   *
   * @param load - the loader's import, for that file
   * @param resolve - the loader's resolution, for that file: to a URL, or the name of a built-in
   */
  importerFor(file: string, load: Import, resolve: (specifier: string) => string): Import {
    const from = resolvePath(file);
    return async (written) => {
      const specifier = sourceOf(written, from);
      const to = this.#known.has(specifier) ? undefined : locate(specifier, resolve);
      const direct = to === undefined || this.#isWaiting(to, from);
      return interop(
        await (direct ? load(specifier) : this.#import(from, to, () => load(specifier))),
      );
    };
  }

  async #import(from: string, to: string, load: () => Promise<unknown>): Promise<unknown> {
    const wait = { from, to };
    // First: what it loads may import at once, and has to know who waits for it.
    this.#waits.add(wait);
    try {
      const module = this.#modules.get(to) ?? load();
      this.#modules.set(to, module);
      return await module;
    } finally {
      this.#waits.delete(wait);
    }
  }

  /** Whether `module` waits for `other`, through others or not: each would wait for ever. */
  #isWaiting(module: string, other: string): boolean {
    const reached = new Set([module]);
    for (const name of reached) {
      for (const { from, to } of this.#waits) if (from === name) reached.add(to);
    }
    return reached.has(other);
  }
}

/** `./x.js` is `./x.ts` where that is what there is. The loader knows, but not under Yarn's Plug'n'Play. */
function sourceOf(specifier: string, from: string): string {
  if (!/^\.\.?\/.*\.[cm]?js$/.test(specifier)) return specifier;
  const source = specifier.replace(/js$/, 'ts');
  const exists = (file: string) => existsSync(resolvePath(dirname(from), file));
  return !exists(specifier) && exists(source) ? source : specifier;
}

/** One name for a module; none for what cannot be resolved, which the loader refuses or knows. */
function locate(specifier: string, resolve: (specifier: string) => string): string | undefined {
  try {
    const url = resolve(specifier);
    return url.startsWith('file:') ? resolvePath(fileURLToPath(url)) : url;
  } catch {
    return undefined;
  }
}
