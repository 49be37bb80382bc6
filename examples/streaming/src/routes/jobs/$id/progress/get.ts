import { on } from 'node:events';
import { type HttpResult, type NotFound, notFound, stream } from 'wapix';
import { event } from '../../../../event';
import { findJob, type Job } from '../../../../jobs';
import type { RequestHandler } from './$types';

/** The job's progress as events, from where it is now to its end. */
async function* progress(job: Job, signal: AbortSignal): AsyncGenerator<string> {
  const { done, steps } = job;
  if (done < steps) {
    // Listens before it sends where the job is, so that no step is missed in between.
    const later = on(job, 'step', { close: ['end'], signal });
    yield event('progress', { done, steps });
    for await (const [done] of later) yield event('progress', { done, steps });
  }
  yield event('complete', { steps });
}

type Result = HttpResult<AsyncGenerator<string>> | NotFound<{ error: string }>;

const handler: RequestHandler<Result> = (req) => {
  const job = findJob(req.params.id);
  if (!job) return notFound({ error: `There is no job ${req.params.id}` });
  // A generator that waits for its next event cannot be ended from outside: the signal ends the
  // wait, and takes the listener away, when the client leaves.
  return stream(progress(job, req.signal), 'text/event-stream', {
    'Cache-Control': 'no-cache',
  });
};

export default handler;
