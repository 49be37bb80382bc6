import { json, type NotFound, notFound, type Ok, type RequestHandler } from 'wapix';
import { type User, users } from '../../../users';

type Params = { id: string };
type Result = Ok<User> | NotFound<{ error: string }>;

const handler: RequestHandler<Params, Result> = (req) => {
  const user = users.get(req.params.id);
  return user ? json(user) : notFound({ error: `There is no user ${req.params.id}` });
};

export default handler;
