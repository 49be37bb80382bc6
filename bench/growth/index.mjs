// How the cost grows: with connections that are open, and before the first request.
import * as goals from '../lib/goals.mjs';
import { LEVELS, measureConnections } from './connections.mjs';
import { IDLE_CONNECTIONS, measureIdle } from './idle.mjs';
import { measureStartUp } from './start-up.mjs';

const WAPIX = ['wapix', 'wapix-in-loop'];

export const GROWTH = {
  connections: {
    title: 'CPU µs/request by open connections, all of them in use',
    servers: [...WAPIX, 'uwebsockets', 'node-http'],
    rounds: 3,
    bases: [],
    figures: LEVELS.map(String),
    goals: [],
    measure: measureConnections,
  },
  idle: {
    title: `Resident memory of each of ${IDLE_CONNECTIONS.toLocaleString('en')} idle connections`,
    servers: [...WAPIX, 'node-http'],
    bases: ['node-http'],
    rounds: 5,
    figures: ['kibibytes'],
    goals: goals.IDLE,
    measure: measureIdle,
  },
  'start-up': {
    title: 'From the start of the process to the first answer',
    servers: [...WAPIX, 'wapix-start', 'node-http', 'fastify'],
    bases: ['node-http'],
    rounds: 15,
    figures: ['milliseconds'],
    goals: goals.START_UP,
    measure: measureStartUp,
  },
};
