import type { RequestHandler } from 'wapix';
import { publicFile } from '../../../page';

const handler: RequestHandler<{ path: string }> = (req) => publicFile(req.params.path);

export default handler;
