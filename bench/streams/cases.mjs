// What is streamed, by which servers, and what is wanted of wapix.
import * as goals from '../lib/goals.mjs';
import { measureBeside, measureEvents, measureWhole } from './measure.mjs';
import { DOWNLOAD_BYTES, SMALL_CHUNK, SMALL_CHUNKS } from './sources.mjs';

const SERVERS = ['wapix', 'wapix-in-loop', 'node-http', 'fastify', 'bun', 'deno'];
const COST = ['seconds', 'javascriptSeconds'];
// So many that the kernel still has memory for more (`tcp_mem`): what is measured is the server.
const STALLED = 200;
const GIGABYTES = DOWNLOAD_BYTES / 1e9;
const DOWNLOAD = { path: '/download', expected: DOWNLOAD_BYTES, units: GIGABYTES };

const whole = (title, goals, response) => ({
  title,
  servers: SERVERS,
  bases: ['node-http'],
  figures: COST,
  goals,
  measure: (name) => measureWhole(name, response),
});

/** `clients` is how many take events, for `seconds`. */
export function casesOf({ clients, seconds }) {
  return {
    download: whole('512 MiB in chunks of 64 KiB, a GB', goals.LARGE_CHUNKS, DOWNLOAD),
    file: whole('A file of 512 MiB, a GB', [], {
      path: '/file',
      expected: DOWNLOAD_BYTES,
      units: GIGABYTES,
    }),
    stalled: {
      title: `512 MiB in chunks of 64 KiB, a GB, alone and beside ${STALLED} clients that read nothing`,
      servers: ['wapix', 'wapix-in-loop', 'node-http'],
      bases: [],
      figures: [
        'seconds',
        'besideSeconds',
        'secondsRatio',
        'duration',
        'besideDuration',
        'durationRatio',
      ],
      goals: [],
      measure: (name) => measureBeside(name, STALLED, DOWNLOAD),
    },
    small: whole('1,000,000 chunks of 100 bytes, a million', goals.SMALL_CHUNKS, {
      path: '/small',
      expected: SMALL_CHUNKS * SMALL_CHUNK.length,
      units: SMALL_CHUNKS / 1e6,
    }),
    events: {
      title: `${clients.toLocaleString('en')} event streams with 10 events a second, a million events`,
      servers: ['wapix-channel', 'wapix-channel-in-loop', ...SERVERS],
      bases: ['node-http'],
      figures: [...COST, 'kibibytes'],
      goals: goals.FAN_OUT,
      measure: (name) => measureEvents(name, { clients, seconds }),
    },
  };
}
