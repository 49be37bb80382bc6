import { type BadRequest, badRequest, type Created, created } from 'wapix';
import { addUser, type User } from '../../users';
import type { RequestHandler } from './$types';

type Result = Created<User> | BadRequest<{ error: string }>;
/** What a client may send: not to be relied on before it was looked at. */
type Body = { name?: unknown } | undefined;

const handler: RequestHandler<Result, Body> = (req) => {
  const name = req.body?.name;
  if (typeof name !== 'string' || name === '') {
    return badRequest({ error: 'Send {"name": "…"} as application/json' });
  }
  const user = addUser(name);
  return created(user, `/users/${user.id}`);
};

export default handler;
