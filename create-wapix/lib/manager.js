/** What differs between package managers. `frozen` installs what the lockfile says, `prune` leaves run-time dependencies. */
const MANAGERS = {
  npm: { lockfile: 'package-lock.json', frozen: 'npm ci', prune: 'npm prune --omit=dev' },
  pnpm: {
    lockfile: 'pnpm-lock.yaml',
    frozen: 'pnpm install --frozen-lockfile',
    prune: 'pnpm prune --prod',
  },
  yarn: {
    lockfile: 'yarn.lock',
    frozen: 'yarn install --frozen-lockfile',
    prune: 'yarn install --frozen-lockfile --production',
  },
  bun: {
    lockfile: 'bun.lock',
    frozen: 'bun install --frozen-lockfile',
    prune: 'bun install --frozen-lockfile --production',
  },
};

/**
 * The package manager that runs this program, by what it says of itself (`pnpm/10.2.0 npm/? node/…`);
 * npm where nobody says.
 */
export function detectManager(userAgent = '') {
  const [, name, version] = /^(\w+)\/(\S+)/.exec(userAgent) ?? [];
  return name in MANAGERS ? { name, version, ...MANAGERS[name] } : { name: 'npm', ...MANAGERS.npm };
}
