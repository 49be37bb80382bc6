import { close, url } from 'node:inspector';

/** Where a debugger looks for the process that serves. */
export interface DebuggerPort {
  readonly port: number;
  readonly host: string;
}

/** Node's flags that have a process wait for a debugger. */
const FLAG = /(^|\s)--inspect(-brk|-wait|-port)?(=\S*)?(?=\s|$)/g;

/**
 * Where this process was told to wait for a debugger (`node --inspect`), which is left to the processes that it
 * starts: the application's code runs in those.
 */
export function leaveDebuggerPort(): DebuggerPort | undefined {
  const { execArgv, env } = process;
  const without = execArgv.map((flag) => flag.replace(FLAG, '')).filter((flag) => flag !== '');
  const options = env.NODE_OPTIONS?.replace(FLAG, '');
  // What debuggers that look after each process themselves have opened, they see to.
  if (without.length === execArgv.length && options === env.NODE_OPTIONS) return undefined;
  process.execArgv = without;
  if (options !== undefined) env.NODE_OPTIONS = options;
  const address = url();
  if (address === undefined) return undefined;
  const { port, hostname } = new URL(address);
  close();
  return { port: Number(port), host: hostname.replace(/^\[|\]$/g, '') };
}
