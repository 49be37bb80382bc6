import { json, type Ok } from 'wapix';
import type { RequestHandler } from './$types.js';

const handler: RequestHandler<Ok<{ hello: string }>> = (req) => json({ hello: req.params.name });

export default handler;
