import { version } from '../version.js';
import { HELP } from './help.js';
import { readCommand } from './options.js';
import { report } from './report.js';

/** Runs a command line. @param args - what follows `wapix` */
export async function main(args: readonly string[]): Promise<void> {
  try {
    await run(args);
  } catch (error) {
    process.exit(report(error));
  }
}

async function run(args: readonly string[]): Promise<void> {
  const command = readCommand(args, process.env);
  if (command.name === 'help') process.stdout.write(HELP);
  else if (command.name === 'version') process.stdout.write(`${version}\n`);
  else {
    if (command.notice) process.stdout.write(`  ${command.notice}\n\n`);
    // Imported here so that what loading them may throw (a missing binary) is reported as well.
    if (command.watch) await (await import('./watch.js')).watch(command.serve, command.watch);
    else await (await import('./start.js')).start(command.serve);
  }
}
