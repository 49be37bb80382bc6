import { setImmediate } from 'node:timers/promises';

export interface Reading {
  readonly id: number;
  readonly sensor: string;
  readonly celsius: number;
}

const COUNT = 5000;
const SENSORS = ['attic', 'cellar', 'garden, north'];

function reading(id: number): Reading {
  return { id, sensor: SENSORS[id % SENSORS.length] ?? '', celsius: 15 + (id % 100) / 10 };
}

/** Every reading, made when it is asked for: none of them waits in memory. */
export function* allReadings(): Generator<Reading> {
  for (let id = 0; id < COUNT; id++) yield reading(id);
}

/** Up to `limit` readings from `first` on; none after the last. As a database would answer, later. */
export async function pageOfReadings(first: number, limit: number): Promise<Reading[]> {
  await setImmediate();
  const length = Math.max(0, Math.min(limit, COUNT - first));
  return Array.from({ length }, (_, index) => reading(first + index));
}
