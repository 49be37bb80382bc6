import { styleText } from 'node:util';
import pino from 'pino';
import type { LogEntry } from '../access-log.js';

/** Where `--log` writes. */
export interface Log {
  /** Takes a request that is over. */
  readonly request: (entry: LogEntry) => void;
  /** Takes what else there is to say, where it has to be a line of the log. */
  readonly say?: (message: string, fields?: object) => void;
}

/** One line a request on stdout: formatted on a terminal, JSON elsewhere. */
export function openLog(): Log {
  if (process.stdout.isTTY) {
    const hasColors = process.stdout.hasColors();
    return { request: (entry) => process.stdout.write(`${format(entry, hasColors)}\n`) };
  }
  // Not synchronous: the handlers' thread does not wait for the disk. What is left at the end of the
  // process is written then.
  const log = pino(pino.destination({ dest: 1, sync: false }));
  return {
    request: (entry) => log.info(entry),
    say: (message, fields = {}) => log.info(fields, message),
  };
}

function format({ method, url, status, duration, ip, complete }: LogEntry, hasColors: boolean) {
  const shown = String(status ?? '-').padStart(3);
  const colored = hasColors ? styleText(colorOf(status), shown) : shown;
  const ending = complete ? '' : '  incomplete';
  return `  ${method.padEnd(7)}  ${colored}  ${duration.toFixed(1).padStart(7)} ms  ${ip}  ${url}${ending}`;
}

function colorOf(status: number | null) {
  if (status === null || status >= 500) return 'red';
  if (status >= 400) return 'yellow';
  return status >= 300 ? 'cyan' : 'green';
}
