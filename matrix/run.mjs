/**
 * `npm run matrix`: packs wapix, installs it from a registry with every package manager, and uses it in
 * every runtime, with I/O on a thread of its own and in the runtime's own loop. It prints a table, and
 * writes it into docs/reference/compatibility.md. Words after `--` choose cells by name; then it only prints.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { registryOf } from '../__test__/helpers/registry.mjs';
import { cells } from './cells.mjs';
import { ROOT, scratch } from './project.mjs';

const PAGE = join(ROOT, 'docs/reference/compatibility.md');
const PLACEMENTS = ['1', '0'];
const chosen = process.argv.slice(2);

const here = join(ROOT, 'matrix');
const packages = scratch();
must(['npm', 'install', '--no-package-lock', '--no-audit', '--no-fund'], here);
must([process.execPath, 'scripts/pack.mjs', packages], ROOT);

const registry = await registryOf(packages, npm('config', 'get', 'registry'));
const { version } = read(join(ROOT, 'package.json'));
const { devDependencies } = read(join(here, 'package.json'));
const versions = Object.fromEntries(
  Object.entries(devDependencies).map(([name, wanted]) => [name, wanted.replace(/^.*@/, '')]),
);

versions.npm = npm('--version');

const rows = [];
for await (const [name, use] of cells({ registry: registry.origin, version, versions })) {
  if (chosen.length > 0 && !chosen.some((word) => name.includes(word))) continue;
  const results = [];
  for (const WAPIX_IO_THREADS of PLACEMENTS) {
    const error = await attempt(() => use({ WAPIX_IO_THREADS }));
    process.stdout.write(`${error ? '✘' : '✔'} ${name}, ioThreads ${WAPIX_IO_THREADS}\n`);
    if (error) process.stdout.write(`${error.message.replace(/^/gm, '    ')}\n`);
    results.push(error ? 'fails' : 'yes');
  }
  rows.push([name, ...results]);
}
registry.close();

const table = [['', '`ioThreads: 1`', '`ioThreads: 0`'], ['---', '---', '---'], ...rows]
  .map((row) => `| ${row.join(' | ')} |`)
  .join('\n');
const failures = rows.flat().filter((cell) => cell === 'fails').length;
const passed = rows.length * PLACEMENTS.length - failures;
process.stdout.write(`\n${table}\n\n${passed} passed, ${failures} failed\n`);
process.exitCode = failures === 0 ? 0 : 1;

if (chosen.length === 0) {
  const [head, , tail] = readFileSync(PAGE, 'utf8').split(
    /(?<=<!-- matrix -->\n)|(?=<!-- \/matrix)/,
  );
  writeFileSync(PAGE, `${head}\n${table}\n\n${tail}`);
  must(
    [process.execPath, 'node_modules/@biomejs/biome/bin/biome', 'format', '--write', PAGE],
    ROOT,
  );
}

async function attempt(use) {
  try {
    await use();
    return undefined;
  } catch (error) {
    return error;
  }
}

function npm(...args) {
  return spawnSync('npm', args, { encoding: 'utf8' }).stdout.trim();
}

function must([command, ...args], cwd) {
  const { status } = spawnSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed`);
}

function read(file) {
  return JSON.parse(readFileSync(file, 'utf8'));
}
