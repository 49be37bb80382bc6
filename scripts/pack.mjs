/**
 * Packs what a release publishes into artifacts/, or the directory it is given: the package, `create-wapix`,
 * and the binaries in binding/. `--release` wants the binary of every target.
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
import { parseArgs } from 'node:util';
import { parseTriple } from '@napi-rs/cli';
import { fail, output } from './run.mjs';
import { besidePackage, inBinary } from './third-party.mjs';

/** What is no business of who installs it. */
const INTERNAL = ['ava', 'devDependencies', 'napi', 'scripts'];

const { values, positionals } = parseArgs({
  options: { release: { type: 'boolean' } },
  allowPositionals: true,
});
const artifacts = resolve(positionals[0] ?? 'artifacts');
const wapix = read('package.json');

const built = readdirSync('binding');
const targets = wapix.napi.targets
  .map((triple) => ({ triple, platform: parseTriple(triple).platformArchABI }))
  .map((target) => ({ ...target, addon: `wapix.${target.platform}.node` }));
const missing = targets.filter(({ addon }) => !built.includes(addon));
if (values.release && missing.length > 0) {
  fail(`There is no binary in binding/ for ${missing.map(({ triple }) => triple).join(', ')}.`);
}

rmSync(artifacts, { recursive: true, force: true });
mkdirSync(artifacts, { recursive: true });

const bindings = targets
  .filter(({ addon }) => built.includes(addon))
  .map(({ triple, platform, addon }) => {
    const folder = join('npm', platform);
    const manifest = read(join(folder, 'package.json'));
    pack({ ...manifest, type: 'commonjs', files: [addon, 'THIRD-PARTY.md'] }, (scratch) => {
      cpSync(join('binding', addon), join(scratch, addon));
      cpSync(join(folder, 'README.md'), join(scratch, 'README.md'));
      cpSync('LICENSE', join(scratch, 'LICENSE'));
      writeFileSync(join(scratch, 'THIRD-PARTY.md'), inBinary(triple));
    });
    return [manifest.name, manifest.version];
  });

for (const field of INTERNAL) delete wapix[field];
wapix.files.push('THIRD-PARTY.md');
// A platform that is in no registry yet is passed over when it is installed, but left out of the
// lockfile, too, which `npm ci` then refuses: name those that are packed.
wapix.optionalDependencies = Object.fromEntries(bindings);
pack(wapix, (scratch) => {
  copyPackage('.', scratch);
  writeFileSync(join(scratch, 'THIRD-PARTY.md'), besidePackage());
});

pack(read('create-wapix/package.json'), (scratch) => copyPackage('create-wapix', scratch));

for (const name of readdirSync(artifacts)) {
  process.stdout.write(`${join(relative('.', artifacts), name)}\n`);
}

/** Packs what `fill` puts in a directory, with a manifest that is no file here. */
function pack(manifest, fill) {
  const scratch = mkdtempSync(join(tmpdir(), 'wapix-pack-'));
  try {
    fill(scratch);
    const text = JSON.stringify({ ...manifest, ...repository() }, null, 2);
    writeFileSync(join(scratch, 'package.json'), `${text}\n`);
    npmPack('--pack-destination', artifacts, scratch);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function copyPackage(folder, scratch) {
  const [{ files }] = JSON.parse(npmPack('--dry-run', '--json', `./${folder}`));
  for (const { path } of files) {
    mkdirSync(dirname(join(scratch, path)), { recursive: true });
    cpSync(join(folder, path), join(scratch, path));
  }
}

/** npm's provenance wants the repository that a package was built from, and refuses another. */
function repository() {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: name } = process.env;
  return name ? { repository: { type: 'git', url: `git+${server}/${name}.git` } } : {};
}

function read(file) {
  return JSON.parse(readFileSync(file, 'utf8'));
}

function npmPack(...args) {
  return output('npm', 'pack', '--ignore-scripts', '--silent', ...args);
}
