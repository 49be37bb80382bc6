import { type BadRequest, badRequest, type Created, created, type RequestHandler } from 'wapix';
import { startJob } from '../../jobs';

type Params = Record<string, never>;
type Result = Created<{ id: string }> | BadRequest<{ error: string }>;
type Body = { steps?: unknown } | undefined;

const handler: RequestHandler<Params, Result, Body> = (req) => {
  const steps = req.body?.steps;
  if (typeof steps !== 'number' || !(steps >= 1)) {
    return badRequest({ error: 'Send {"steps": 200}' });
  }
  const { id } = startJob(steps);
  return created({ id }, `/jobs/${id}`);
};

export default handler;
