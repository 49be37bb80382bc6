import { json, type NotFound, notFound, type Ok } from 'wapix';
import { type User, users } from '../../../users';
import type { RequestHandler } from './$types';

type Result = Ok<User> | NotFound<{ error: string }>;

const handler: RequestHandler<Result> = (req) => {
  const user = users.get(req.params.id);
  return user ? json(user) : notFound({ error: `There is no user ${req.params.id}` });
};

export default handler;
