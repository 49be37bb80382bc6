import { EventEmitter } from 'node:events';
import { setTimeout } from 'node:timers/promises';

const STEP_MS = 20;

/** A task that takes its time. Emits `step` after each step, and `end` after the last. */
export class Job extends EventEmitter<{ step: [number]; end: [] }> {
  done = 0;

  constructor(
    readonly id: string,
    readonly steps: number,
  ) {
    super();
  }

  async run(): Promise<void> {
    while (this.done < this.steps) {
      await setTimeout(STEP_MS);
      this.done += 1;
      this.emit('step', this.done);
    }
    this.emit('end');
  }
}

const jobs = new Map<string, Job>();

export function startJob(steps: number): Job {
  const job = new Job(String(jobs.size + 1), steps);
  jobs.set(job.id, job);
  void job.run();
  return job;
}

export function findJob(id: string): Job | undefined {
  return jobs.get(id);
}
