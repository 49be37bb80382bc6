import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

// Every path in these scripts is relative to the repository's root.
process.chdir(fileURLToPath(new URL('..', import.meta.url)));

/** The development dependencies' own commands, run by this Node: the same on every platform. */
const TOOLS = {
  attw: 'node_modules/@arethetypeswrong/cli/dist/index.js',
  ava: 'node_modules/ava/entrypoints/cli.mjs',
  biome: 'node_modules/@biomejs/biome/bin/biome',
  napi: 'node_modules/@napi-rs/cli/dist/cli.js',
  publint: 'node_modules/publint/src/cli.js',
  tsc: 'node_modules/typescript/bin/tsc',
};

const NO_RUST = `wapix is built from Rust, and there is no \`cargo\` here.
Install stable Rust (https://rustup.rs), open a new terminal, and run this again.
`;

/** The program and arguments that `words` stand for. */
export function command([name, ...args]) {
  return name in TOOLS ? [process.execPath, [TOOLS[name], ...args]] : [name, args];
}

/** Runs a command, its output shown; says whether it succeeded. */
export function succeeds(...words) {
  return start(words, { stdio: ['ignore', 'inherit', 'inherit'] }).status === 0;
}

/** Runs a command, its output shown; ends this process where it fails. */
export function run(...words) {
  if (!succeeds(...words)) fail(`\`${words.join(' ')}\` failed.`);
}

/** What a command prints on stdout; ends this process where it fails. */
export function output(...words) {
  const { status, stdout } = start(words, { stdio: ['ignore', 'pipe', 'inherit'] });
  if (status !== 0) fail(`\`${words.join(' ')}\` failed.`);
  return stdout;
}

export function fail(message) {
  process.stderr.write(`\n${message}\n`);
  process.exit(1);
}

function start(words, options) {
  // npm is a batch file on Windows, which only a shell can start.
  const shell = process.platform === 'win32' && words[0] === 'npm';
  const result = spawnSync(...command(words), { encoding: 'utf8', shell, ...options });
  if (result.error?.code === 'ENOENT' && /^(cargo|rustc)$/.test(words[0])) fail(NO_RUST);
  if (result.error) fail(`\`${words.join(' ')}\`: ${result.error.message}`);
  return result;
}
