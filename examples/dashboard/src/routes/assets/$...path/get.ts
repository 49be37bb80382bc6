import { publicFile } from '../../../page';
import type { RequestHandler } from './$types';

const handler: RequestHandler = (req) => publicFile(req.params.path);

export default handler;
