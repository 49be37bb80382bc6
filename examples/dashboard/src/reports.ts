import { EventEmitter } from 'node:events';
import { setTimeout } from 'node:timers/promises';

const STEPS = 100;
const STEP_MS = 30;

/** A report that takes its time. Emits `change` when it is further. */
export class Report extends EventEmitter<{ change: [] }> {
  done = 0;

  get percent(): number {
    return Math.round((100 * this.done) / STEPS);
  }

  async make(): Promise<void> {
    while (this.done < STEPS) {
      await setTimeout(STEP_MS); // the work
      this.done += 1;
      this.emit('change');
    }
  }

  /** Row by row, as the client takes them. */
  *rows(): Generator<string> {
    yield 'day,orders,revenue\r\n';
    for (let day = 1; day <= 365; day++) {
      const orders = 40 + Math.round(20 * Math.sin(day / 9)) + (day % 7);
      yield `${day},${orders},${(orders * 19.9).toFixed(2)}\r\n`;
    }
  }
}

/** In place of a database: gone when the process ends. */
const reports = new Map<string, Report>();

export function startReport(): string {
  const id = String(reports.size + 1);
  const report = new Report();
  reports.set(id, report);
  void report.make();
  return id;
}

export function findReport(id: string): Report | undefined {
  return reports.get(id);
}
