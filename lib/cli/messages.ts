import type { RouteFile } from '../routes/scan.js';
import type { DebuggerPort } from './debugger.js';
import type { Mistake } from './mistake.js';

/** What the supervisor tells a process of its own. */
export type Order =
  /** Load the routes. */
  | { readonly type: 'load' }
  /** Show this in a browser, until another process serves. */
  | { readonly type: 'show'; readonly mistake: Mistake }
  | {
      readonly type: 'listen';
      readonly port: number;
      /** Whether a process before has the port, and lets go of it. */
      readonly takeover: boolean;
    }
  /** Wait for a debugger, as no process before does any more. */
  | { readonly type: 'debug'; readonly at: DebuggerPort }
  /** Another process serves from now on. */
  | { readonly type: 'leave' }
  | { readonly type: 'stop' };

/** What such a process tells the supervisor. */
export type Report =
  | { readonly type: 'loaded' }
  /** The routes could not be loaded, which it has printed. */
  | { readonly type: 'failed'; readonly mistake: Mistake }
  | {
      readonly type: 'listening';
      readonly port: number;
      readonly url: string;
      /** What it serves; none where it has nothing but a mistake to show. */
      readonly files?: readonly RouteFile[];
    }
  /** It was told to leave or to stop, and accepts nobody any more. */
  | { readonly type: 'left' };
