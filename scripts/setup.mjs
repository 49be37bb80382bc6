/**
 * Installs the dependencies and builds what has changed since the last time: `binding/` from Rust,
 * `dist/` from TypeScript. It runs before there is a node_modules, so it imports Node's own modules only.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { output, run } from './run.mjs';
import { buildTarget, target } from './target.mjs';

if (installed()) say('node_modules', 'up to date');
else {
  say('node_modules', 'installing');
  // The tools that build are development dependencies, whatever NODE_ENV says.
  run('npm', 'ci', '--include=dev', '--no-audit', '--no-fund');
}

/** What the build itself depends on, besides the sources. */
const BUILD = ['package.json', 'package-lock.json', 'scripts/setup.mjs', 'scripts/target.mjs'];

build('binding', {
  from: [...['src', 'build.rs', 'Cargo.toml', 'Cargo.lock', '.cargo', 'scripts/zig.txt'], ...BUILD],
  with: [output('rustc', '-vV'), process.env.RUSTFLAGS, target],
  by: () =>
    run(
      ...['napi', 'build', '--platform', '--release', '--output-dir', 'binding'],
      ...targetOptions(),
      // No loader: `lib/native.ts` is one.
      ...['--no-js', '--dts', 'index.d.ts', '--', '--locked', '--lib'],
    ),
});

function targetOptions() {
  const { triple, isZig } = buildTarget();
  return [...(triple ? ['--target', triple] : []), ...(isZig ? ['--cross-compile'] : [])];
}

build('dist', {
  from: [
    ...['lib', 'index.d.ts', 'binding/index.d.ts', 'tsconfig.json', 'scripts/bundle.mjs'],
    ...BUILD,
  ],
  with: [],
  by: compile,
});

/** Whether node_modules is what package-lock.json asks for, by npm's own record of what it installed. */
function installed() {
  if (!existsSync('node_modules/.package-lock.json')) return false;
  const wanted = Object.entries(packages('package-lock.json')).filter(([path]) => path !== '');
  const present = packages('node_modules/.package-lock.json');
  return wanted.every(([path, { integrity, optional }]) =>
    present[path] ? present[path].integrity === integrity : optional,
  );
}

function packages(lockfile) {
  return JSON.parse(readFileSync(lockfile, 'utf8')).packages;
}

/**
 * Makes `directory`, unless the stamp in it says that it was made from these very files, and that
 * nobody has touched it since.
 */
function build(directory, { from, with: facts, by: make }) {
  const stamp = join(directory, '.stamp');
  // Before the build: a source that changes meanwhile is one for the next.
  const inputs = digest(from, facts);
  const current = () => `${inputs} ${digest([directory], [])}\n`;
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === current()) {
    say(directory, 'up to date');
    return;
  }
  say(directory, 'building');
  make();
  writeFileSync(stamp, current());
}

function digest(paths, facts) {
  const hash = createHash('sha256').update(JSON.stringify(facts));
  for (const file of paths.flatMap(filesIn)) {
    hash.update(`\0${file}\0`).update(readFileSync(file));
  }
  return hash.digest('hex');
}

function filesIn(path) {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true })
    .sort()
    .filter((name) => name !== '.stamp')
    .map((name) => join(path, name))
    .filter((file) => statSync(file).isFile());
}

/** From nothing: what a deleted source has left, or somebody has changed by hand, goes with it. */
function compile() {
  rmSync('dist', { recursive: true, force: true });
  run('tsc', '-p', '.');
  run(process.execPath, 'scripts/bundle.mjs');
}

function say(what, state) {
  process.stdout.write(`${what.padEnd(12)}  ${state}\n`);
}
