import { join } from 'node:path';
import { inspect } from 'node:util';
import { causesOf, WapixError } from '../errors.js';
import { codeFrame, placeOf } from './frame.js';

/**
 * Prints `error` on stderr as one block: its code, what happened, where, and what to do.
 *
 * @returns the exit code that goes with it
 */
export function report(error: unknown): number {
  const [first, ...rest] = describe(error);
  process.stderr.write(`error ${first}\n`);
  for (const line of rest) process.stderr.write(line === '' ? '\n' : `  ${line}\n`);
  reportFrame(error);
  return error instanceof WapixError && error.code === 'WAPIX_INVALID_OPTION' ? 2 : 1;
}

/** Prints the lines of the application's code that `error` comes from, where there are any. */
export function reportFrame(error: unknown): void {
  const place = placeOf(error);
  const frame = place && codeFrame(place);
  if (frame === undefined) return;
  process.stderr.write(`\n${frame.replace(/^/gm, '  ')}\n\n`);
}

/** What there is to say of an error, in lines, the first of them its code or name. */
export function describe(error: unknown): string[] {
  if (error instanceof WapixError) {
    return [error.code, ...error.message.split('\n'), ...causesOf(error).flatMap(stackOf)];
  }
  if (error instanceof Error && 'syscall' in error && 'code' in error) {
    return [String(error.code), ...explain(error as SystemError)];
  }
  return stackOf(error);
}

type SystemError = NodeJS.ErrnoException & { port?: number; address?: string; hostname?: string };

/** The operating system's refusal, in the words of the command line where it is one to listen. */
function explain(error: SystemError): string[] {
  const another = 'Choose another with --host H, or leave it out to listen on every address.';
  if (error.syscall === 'getaddrinfo')
    return [`No address of ${error.hostname} is known.`, another];
  switch (error.syscall === 'listen' && error.code) {
    case 'EADDRINUSE':
      return [
        `Port ${error.port} is in use by another process.`,
        'Choose another with --port N or PORT=N; --port 0 takes any that is free.',
      ];
    case 'EACCES':
      return [
        `This user may not listen on port ${error.port}.`,
        'Choose one above 1023 with --port N or PORT=N.',
      ];
    case 'EADDRNOTAVAIL':
      return [`${error.address} is no address of this machine.`, another];
    default:
      return [error.message];
  }
}

/** Paths, and URLs, of Node and the loader. */
const NOT_THEIRS = /node:|[\\/]node_modules[\\/]jiti/;
const WAPIX = join(__dirname, '..');

/** An error of the user's own code: without the frames of Node, the loader and wapix. */
function stackOf(error: unknown): string[] {
  if (!(error instanceof Error)) {
    return (typeof error === 'string' ? error : inspect(error)).split('\n');
  }
  const stack = error.stack?.includes(error.message) ? error.stack : `${error}\n${error.stack}`;
  const isTheirs = (line: string) => !(NOT_THEIRS.test(line) || line.includes(WAPIX));
  return stack.split('\n').filter((line) => !/^\s+at /.test(line) || isTheirs(line));
}
