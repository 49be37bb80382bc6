import { type BadRequest, badRequest, type Created, created } from 'wapix';
import { startJob } from '../../jobs';
import type { RequestHandler } from './$types';

type Result = Created<{ id: string }> | BadRequest<{ error: string }>;
type Body = { steps?: unknown } | undefined;

const handler: RequestHandler<Result, Body> = (req) => {
  const steps = req.body?.steps;
  if (typeof steps !== 'number' || !(steps >= 1)) {
    return badRequest({ error: 'Send {"steps": 200}' });
  }
  const { id } = startJob(steps);
  return created({ id }, `/jobs/${id}`);
};

export default handler;
