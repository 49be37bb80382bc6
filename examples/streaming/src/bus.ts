import { EventEmitter } from 'node:events';

export interface Message {
  readonly from: string;
  readonly text: string;
}

/** What happens in this application, told to whoever listens: one instance for all routes. */
export const bus = new EventEmitter<{ message: [Message] }>();

// Each open event stream is a listener: many are no leak here.
bus.setMaxListeners(0);
