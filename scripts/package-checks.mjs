/** What must hold of the packages in artifacts/, and of the binaries in binding/ that are in them. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runChecks } from './checks.mjs';
import { output, succeeds } from './run.mjs';

/** In KiB, somewhat above what they were in November 2026 (63, 7 and 5044): what exceeds them is a decision. */
const BUDGET = { wapix: 72, 'create-wapix': 10, binary: 5250 };
/** The minor version that `scripts/setup.mjs` links a release for. */
const NEWEST_GLIBC = 28;

/** The checks, by name. */
export function packageChecks() {
  const tarballs = readdirSync('artifacts').map((name) => join('artifacts', name));
  const named = (name) => tarballs.find((tarball) => basename(tarball).match(`^${name}-\\d`));
  const binaries = readdirSync('binding')
    .filter((name) => name.endsWith('.node'))
    .map((name) => join('binding', name));
  return {
    publint: () => tarballs.every((tarball) => succeeds('publint', 'run', '--strict', tarball)),
    'are the types wrong': () => succeeds('attw', '--no-emoji', '--no-color', named('wapix')),
    'no source that Node would strip': () => holds(typeScriptIn(named('wapix'))),
    'size of the packages': () =>
      ['wapix', 'create-wapix'].every((name) => isWithin(named(name), BUDGET[name])),
    'size of the binaries': () => binaries.every((file) => isWithin(file, BUDGET.binary)),
    'binaries without symbols': () => holds(binaries.filter(hasSymbols)),
    'no C runtime that Windows may lack': () => holds(binaries.filter(needsVisualC)),
    // What is linked for this machine only asks for its glibc.
    ...(process.env.WAPIX_BUILD_TARGET && {
      [`no glibc newer than 2.${NEWEST_GLIBC}`]: () => holds(binaries.flatMap(newSymbols)),
    }),
  };
}

function holds(problems) {
  for (const problem of problems) process.stdout.write(`${problem}\n`);
  return problems.length === 0;
}

function isWithin(file, budget) {
  const size = statSync(file).size / 1024;
  process.stdout.write(`${basename(file)}: ${size.toFixed(0)} KiB of ${budget}\n`);
  return size <= budget;
}

/** Node runs no TypeScript under node_modules. */
function typeScriptIn(tarball) {
  const names = output('tar', '-tzf', tarball).split('\n');
  return names.filter((name) => /\.[cm]?tsx?$/.test(name) && !/\.d\.[cm]?ts$/.test(name));
}

function hasSymbols(file) {
  return readFileSync(file).includes('\0.symtab\0');
}

/** Of the Visual C++ Redistributable: `.cargo/config.toml` has it linked in. */
function needsVisualC(file) {
  return /VCRUNTIME\d+\.dll/i.test(readFileSync(file, 'latin1'));
}

/** The versions of glibc's symbols that a binary asks for and older systems lack. */
function newSymbols(file) {
  const versions = readFileSync(file, 'latin1').matchAll(/GLIBC_2\.(\d+)/g);
  const newest = Math.max(0, ...[...versions].map(([, minor]) => Number(minor)));
  process.stdout.write(`${basename(file)} asks for 2.${newest}\n`);
  return newest > NEWEST_GLIBC ? [`${file} needs glibc 2.${newest}`] : [];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) runChecks(packageChecks());
