import { version } from '../version.js';
import { HELP } from './help.js';
import { type Command, readCommand } from './options.js';
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
  else if (command.name === 'types') (await import('./types.js')).types(command.routes);
  else {
    if (command.notice) noticeTo(command).write(`  ${command.notice}\n\n`);
    // Imported here so that what loading them may throw (a missing binary) is reported as well.
    if (command.name === 'routes') (await import('./routes.js')).printRoutes(command.routes);
    else if (command.watch) await (await import('./watch.js')).watch(command.serve, command.watch);
    else await (await import('./start.js')).start(command.serve);
  }
}

/** Not where a program reads the table, or the log. */
function noticeTo(command: Extract<Command, { notice?: string }>): NodeJS.WriteStream {
  const isRead = command.name === 'routes' || (command.serve.log && !process.stdout.isTTY);
  return isRead ? process.stderr : process.stdout;
}
