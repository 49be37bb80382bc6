import type { RouteFile } from '../routes/scan.js';

/** What the supervisor tells the process that serves. */
export type Order =
  | {
      readonly type: 'listen';
      readonly port: number;
      /** Whether the process before still has the port, and is about to let go of it. */
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
    };
