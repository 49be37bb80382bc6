import { relative, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { packageName, requireEmpty } from './directory.js';
import { CreateError } from './errors.js';
import { install } from './install.js';
import { detectManager } from './manager.js';
import { HELP, readOptions } from './options.js';
import { writeProject } from './project.js';

const DEFAULT_DIRECTORY = 'wapix-app';

/** Runs a command line; resolves to the exit code. */
export async function main(args, env) {
  try {
    const options = readOptions(args);
    if (options.help) process.stdout.write(HELP);
    else {
      // `npm create wapix --yes` keeps the option for itself, and says so.
      options.yes ||= env.npm_config_yes === 'true';
      create(await chooseDirectory(options), detectManager(env.npm_config_user_agent));
    }
    return 0;
  } catch (error) {
    if (!(error instanceof CreateError)) throw error;
    const [first, ...rest] = [error.code, ...error.message.split('\n')];
    process.stderr.write(`error ${first}\n${rest.map((line) => `  ${line}\n`).join('')}`);
    return error.exitCode;
  }
}

async function chooseDirectory({ directory, yes }) {
  if (directory !== undefined) return directory;
  if (yes) return DEFAULT_DIRECTORY;
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  // Ctrl-C, Ctrl-D, or an input that ends without an answer.
  const closed = new Promise((_, reject) => {
    terminal.once('close', () =>
      reject(new CreateError('WAPIX_NO_NAME', 'No name was given: npm create wapix my-app')),
    );
  });
  const answer = await Promise.race([
    terminal.question(`Name of the project (${DEFAULT_DIRECTORY}): `),
    closed,
  ]);
  closed.catch(() => {});
  terminal.close();
  return answer.trim() || DEFAULT_DIRECTORY;
}

function create(directory, manager) {
  const root = resolve(directory);
  const name = packageName(root);
  requireEmpty(root);
  writeProject(root, name, manager);
  process.stdout.write(`\n  ${name} is written. ${manager.name} installs what it needs.\n\n`);
  install(root, manager);
  const way = relative(process.cwd(), root);
  const quoted = /[^\w./-]/.test(way) ? JSON.stringify(way) : way;
  const steps = [way && `cd ${quoted}`, `${manager.name} run dev`].filter(Boolean);
  process.stdout.write(`\n  Now:  ${steps.join(' && ')}\n`);
}
