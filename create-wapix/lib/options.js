import { parseArgs } from 'node:util';
import { CreateError } from './errors.js';

export const HELP = `Usage: npm create wapix [directory] [--yes]

Starts a wapix project in a new or empty directory, and installs what it needs.

  -y, --yes      ask nothing: without a directory, it is wapix-app
  -h, --help     print this
`;

/** Reads a command line. @throws `WAPIX_INVALID_OPTION` */
export function readOptions(args) {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        yes: { type: 'boolean', short: 'y' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (positionals.length > 1) throw new Error(`One directory only: ${positionals.join(' ')}`);
    return { ...values, directory: positionals[0] };
  } catch (error) {
    throw new CreateError('WAPIX_INVALID_OPTION', `${error.message}\nSee --help.`, 2);
  }
}
