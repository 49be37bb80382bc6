import { readFileSync, realpathSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';

/**
 * The directories of the packages that `project` depends on through links, as those of a workspace are,
 * and of what these depend on in the same way: sources that are edited beside the project's own.
 */
export function linkedPackages(project: string): string[] {
  const packages = new Set([project]);
  // A set is gone through with what is added meanwhile.
  for (const directory of packages) {
    for (const name of dependenciesOf(directory)) {
      const target = locate(name, directory);
      if (target && !target.split(sep).includes('node_modules')) packages.add(target);
    }
  }
  packages.delete(project);
  return [...packages];
}

function dependenciesOf(directory: string): string[] {
  const { dependencies, devDependencies, optionalDependencies, peerDependencies } =
    readPackage(directory);
  const names = Object.keys({
    ...dependencies,
    ...devDependencies,
    ...optionalDependencies,
    ...peerDependencies,
  });
  // Routes get the one that serves them, and a change of it would have to restart this process.
  return names.filter((name) => name !== 'wapix');
}

interface Package {
  readonly dependencies?: object;
  readonly devDependencies?: object;
  readonly optionalDependencies?: object;
  readonly peerDependencies?: object;
}

/** What npm reads; nothing where there is no package.json, or it is being written. */
function readPackage(directory: string): Package {
  try {
    return Object(JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')));
  } catch {
    return {};
  }
}

/** Where Node finds the package for the modules in `directory`, links followed. */
function locate(name: string, directory: string): string | undefined {
  try {
    return realpathSync(join(directory, 'node_modules', name));
  } catch {
    const parent = dirname(directory);
    return parent === directory ? undefined : locate(name, parent);
  }
}
