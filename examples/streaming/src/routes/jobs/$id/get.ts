import { json, type NotFound, notFound, type Ok, type RequestHandler } from 'wapix';
import { findJob } from '../../../jobs';

type Params = { id: string };
type State = { done: number; steps: number; watchers: number };
type Result = Ok<State> | NotFound<{ error: string }>;

const handler: RequestHandler<Params, Result> = (req) => {
  const job = findJob(req.params.id);
  if (!job) return notFound({ error: `There is no job ${req.params.id}` });
  return json({ done: job.done, steps: job.steps, watchers: job.listenerCount('step') });
};

export default handler;
