import type { RequestHandler } from 'wapix';
import { publicFile } from '../page';

const handler: RequestHandler = () => publicFile('index.html');

export default handler;
