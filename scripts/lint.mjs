/** Every check that is no test: all are run, then it fails if one did. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import picomatch from 'picomatch';
import { runChecks } from './checks.mjs';
import { packageChecks } from './package-checks.mjs';
import { output, run, succeeds } from './run.mjs';

/** What begins as a code does: the type of an `AsyncResource`, and an environment variable. */
const NO_CODES = new Set(['WAPIX_REQUEST', 'WAPIX_SERVER', 'WAPIX_STREAM', 'WAPIX_IO_THREADS']);

/** A workspace of its own, whose lock has the engine's dependencies, too. */
const FUZZ = ['--manifest-path', 'fuzz/Cargo.toml'];

const manifest = JSON.parse(readFileSync('package.json', 'utf8'));

run('node', 'scripts/pack.mjs');

runChecks({
  'cargo fmt': () => succeeds('cargo', 'fmt', '--check'),
  // Not `biome ci`, which colours its output whatever NO_COLOR says.
  biome: () => succeeds('biome', 'check', '--error-on-warnings', '.'),
  clippy: () => succeeds('cargo', 'clippy', '--locked', '--all-targets', '--', '-D', 'warnings'),
  'fuzz/Cargo.lock': () => succeeds('cargo', 'fetch', '--locked', ...FUZZ),
  'napi and unsafe only in src/binding': () => holds(outsideBinding()),
  'error codes in the docs': () => holds(undocumentedCodes()),
  'package contents': () => holds(missingFromPackage()),
  'npm manifests': () => holds([...outdatedManifests(), ...unknownToLoader()]),
  'one version': () => holds(otherVersions()),
  'create-wapix': () => holds(outdatedScaffold()),
  ...packageChecks(),
});

function holds(problems) {
  for (const problem of problems) process.stdout.write(`${problem}\n`);
  return problems.length === 0;
}

/** The engine knows nothing of Node, and is safe Rust: lines of code that name either. */
function outsideBinding() {
  return readdirSync('src', { recursive: true })
    .filter((name) => name.endsWith('.rs') && !/^binding\b/.test(name))
    .flatMap((name) =>
      readFileSync(join('src', name), 'utf8')
        .split('\n')
        .map((line, index) => ({
          code: line.replace(/\/\/.*/, ''),
          at: `src/${name}:${index + 1}`,
        }))
        .flatMap(({ code, at }) => {
          const [word] = /\b(napi|unsafe)/.exec(code) ?? [];
          return word ? [`${at} has ${word}`] : [];
        }),
    );
}

function codesIn(text, pattern) {
  return text.match(pattern)?.map((code) => code.trim()) ?? [];
}

/** Codes without a row in the reference, or with a cell of it empty; rows and uses of what is no code. */
function undocumentedCodes() {
  const page = 'docs/reference/errors.md';
  const codes = new Set([
    ...codesIn(readFileSync('lib/errors.ts', 'utf8'), /^ {2}WAPIX_\w+(?=:)/gm),
    ...filesBelow('create-wapix/lib').flatMap((file) =>
      codesIn(readFileSync(file, 'utf8'), /(?<=')WAPIX_\w+(?=')/g),
    ),
  ]);
  const rows = new Map(
    readFileSync(page, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('| `WAPIX_'))
      .map((line) =>
        line
          .split('|')
          .slice(1, -1)
          .map((cell) => cell.trim()),
      )
      .map(([code, ...cells]) => [code.slice(1, -1), cells]),
  );
  const used = ['lib', 'src'].flatMap((folder) =>
    filesBelow(folder).flatMap((file) => readFileSync(file, 'utf8').match(/\bWAPIX_\w+/g) ?? []),
  );
  const unknown = [...rows.keys(), ...used].filter(
    (code) => !NO_CODES.has(code) && !codes.has(code),
  );
  return [
    ...[...codes].filter((code) => !rows.has(code)).map((code) => `${code} has no row in ${page}`),
    ...[...rows]
      .filter(([, cells]) => cells.length !== 3 || cells.includes(''))
      .map(([code]) => `${code} in ${page} does not say what happened, why, and what to do`),
    ...[...new Set(unknown)].map((code) => `${code} is a code of nobody's`),
  ];
}

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((name) => /\.(ts|rs|js)$/.test(name))
    .map((name) => join(folder, name));
}

/** What package.json promises and `npm pack` would leave out in silence. */
function missingFromPackage() {
  const [{ files }] = JSON.parse(
    output('npm', 'pack', '--dry-run', '--json', '--ignore-scripts', '--silent'),
  );
  const packed = files.map(({ path }) => path);
  const { main, types, bin } = manifest;
  const promised = [...manifest.files, main, types, ...Object.values(bin), 'LICENSE', 'README.md'];
  return promised
    .map((entry) => entry.replace(/^\.?\//, ''))
    .filter((entry) => !packed.some((path) => picomatch.isMatch(path, entry)))
    .map((entry) => `${entry} is not there to be packed`);
}

/** Generated from package.json: they have its version, its engines and a folder for each target. */
function outdatedManifests() {
  const scratch = mkdtempSync(join(tmpdir(), 'wapix-lint-'));
  try {
    cpSync('package.json', join(scratch, 'package.json'));
    run('napi', 'create-npm-dirs', '--cwd', scratch);
    const generated = join(scratch, 'npm');
    const names = new Set([...filesIn('npm'), ...filesIn(generated)]);
    return [...names]
      .filter((name) => read(join('npm', name)) !== read(join(generated, name)))
      .map((name) => `npm/${name} is not what \`npx napi create-npm-dirs\` makes`);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** Binaries that a release would have, and nobody load. */
function unknownToLoader() {
  const loader = readFileSync('lib/native.ts', 'utf8');
  return readdirSync('npm')
    .filter((name) => !loader.includes(`require('@wapix/binding-${name}')`))
    .map((name) => `lib/native.ts does not load @wapix/binding-${name}`);
}

/** `npm version` keeps them in step; a hand may not. */
function otherVersions() {
  const versionIn = (file) => {
    const text = readFileSync(file, 'utf8');
    if (file.endsWith('.json')) return JSON.parse(text).version;
    return /^name = "wapix"\nversion = "(.*)"$/m.exec(text)?.[1];
  };
  return [
    ...['Cargo.toml', 'Cargo.lock', 'fuzz/Cargo.lock'],
    ...['package-lock.json', 'create-wapix/package.json'],
  ]
    .map((file) => [file, versionIn(file)])
    .filter(([, version]) => version !== manifest.version)
    .map(([file, version]) => `${file} has ${version}, package.json ${manifest.version}`);
}

/** A new project gets the compiler that the tests use. */
function outdatedScaffold() {
  const { devDependencies } = JSON.parse(
    readFileSync('create-wapix/template/_package.json', 'utf8'),
  );
  const { typescript } = manifest.devDependencies;
  return devDependencies.typescript === typescript ? [] : [`its typescript is not ${typescript}`];
}

function filesIn(directory) {
  return readdirSync(directory, { recursive: true }).filter((name) => /\.(json|md)$/.test(name));
}

function read(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}
