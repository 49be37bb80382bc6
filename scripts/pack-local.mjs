/**
 * Packs the package and this platform's binary into artifacts/, or the directory it is given: what a
 * release publishes, to be installed together without a registry.
 */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { output } from './run.mjs';

const artifacts = resolve(process.argv[2] ?? 'artifacts');
rmSync(artifacts, { recursive: true, force: true });
mkdirSync(artifacts);

const addon = readdirSync('binding').find((name) => name.endsWith('.node'));
const [, platform] = addon.split('.');
const manifests = join('npm', platform);
const binding = JSON.parse(readFileSync(join(manifests, 'package.json'), 'utf8'));

inScratch((scratch) => {
  cpSync(manifests, scratch, { recursive: true });
  cpSync(join('binding', addon), join(scratch, addon));
  pack(scratch);
});

inScratch((scratch) => {
  const [{ files }] = JSON.parse(npmPack('--dry-run', '--json'));
  for (const { path } of files) {
    mkdirSync(dirname(join(scratch, path)), { recursive: true });
    cpSync(path, join(scratch, path));
  }
  // A release names the packages of all platforms (`napi prepublish` writes them). Before one they are
  // in no registry: `npm install` passes over an optional dependency that it does not find, but
  // leaves it out of the lockfile, which `npm ci` then refuses.
  const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
  manifest.optionalDependencies = { [binding.name]: binding.version };
  writeFileSync(join(scratch, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  pack(scratch);
});

for (const name of readdirSync(artifacts))
  process.stdout.write(`${join(relative('.', artifacts), name)}\n`);

function inScratch(use) {
  const scratch = mkdtempSync(join(tmpdir(), 'wapix-pack-'));
  try {
    use(scratch);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function pack(directory) {
  npmPack('--pack-destination', artifacts, directory);
}

function npmPack(...args) {
  return output('npm', 'pack', '--ignore-scripts', '--silent', ...args);
}
