import { json, type NotFound, notFound, type Ok } from 'wapix';
import { findJob } from '../../../jobs';
import type { RequestHandler } from './$types';

type State = { done: number; steps: number; watchers: number };
type Result = Ok<State> | NotFound<{ error: string }>;

const handler: RequestHandler<Result> = (req) => {
  const job = findJob(req.params.id);
  if (!job) return notFound({ error: `There is no job ${req.params.id}` });
  return json({ done: job.done, steps: job.steps, watchers: job.listenerCount('step') });
};

export default handler;
