import type { RouteFile } from '../routes/scan.js';

/**
 * Whether two processes can listen on a port (SO_REUSEPORT): then the next one listens before the one
 * before it stops. Where they cannot, it tries until the port is free.
 */
export const PORTS_ARE_SHARED = process.platform !== 'win32';

/** What the supervisor tells the process that serves. */
export type Order =
  | {
      readonly type: 'listen';
      readonly port: number;
      /** Whether a process before has the port, and lets go of it. */
      readonly takeover: boolean;
    }
  | { readonly type: 'stop' };

/** What the process that serves tells the supervisor. */
export type Report =
  | { readonly type: 'loaded' }
  | {
      readonly type: 'listening';
      readonly port: number;
      readonly url: string;
      readonly files: readonly RouteFile[];
    }
  /** It was told to stop, and has the port no more. */
  | { readonly type: 'left' };
