import { json, type RequestHandler } from 'wapix';
import { bus } from '../../bus';

const handler: RequestHandler = () => json({ listeners: bus.listenerCount('message') });

export default handler;
