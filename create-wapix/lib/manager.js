/**
 * What differs between package managers. `locked` are the files that say what to install, `frozen` installs just
 * that, `prune` leaves run-time dependencies, `program` is the npm package of the manager itself.
 */
const MANAGERS = {
  npm: {
    locked: 'package-lock.json',
    frozen: 'npm ci',
    prune: 'npm prune --omit=dev',
  },
  pnpm: {
    program: 'pnpm',
    locked: 'pnpm-lock.yaml',
    frozen: 'pnpm install --frozen-lockfile',
    prune: 'pnpm prune --prod',
  },
  yarn: {
    program: 'yarn',
    locked: 'yarn.lock',
    frozen: 'yarn install --frozen-lockfile',
    prune: 'yarn install --frozen-lockfile --production',
  },
  bun: {
    program: 'bun',
    locked: 'bun.lock',
    frozen: 'bun install --frozen-lockfile',
    prune: 'bun install --frozen-lockfile --production',
  },
};

/** Yarn from version 2 on, which is another program. */
const MODERN_YARN = {
  program: '@yarnpkg/cli-dist',
  locked: 'yarn.lock .yarnrc.yml',
  frozen: 'yarn install --immutable',
  prune: 'yarn workspaces focus --production',
  files: {
    '.yarnrc.yml': 'nodeLinker: node-modules\n',
    // Without one, a project above this directory would be taken to be meant.
    'yarn.lock': '',
  },
  ignored: '.yarn/cache\n.yarn/install-state.gz\n',
};

/**
 * The package manager that runs this program, by what it says of itself (`pnpm/10.2.0 npm/? node/…`);
 * npm where nobody says.
 */
export function detectManager(userAgent = '') {
  const [, name, version] = /^(\w+)\/(\S+)/.exec(userAgent) ?? [];
  if (!(name in MANAGERS)) return { name: 'npm', ...MANAGERS.npm };
  const major = Number.parseInt(version, 10);
  if (name !== 'yarn' || major < 2) return { name, version, ...MANAGERS[name] };
  // Before version 4, `workspaces focus` is a plugin.
  const plugin = major < 4 ? 'yarn plugin import workspace-tools && ' : '';
  return { name, version, ...MODERN_YARN, prune: plugin + MODERN_YARN.prune };
}
