import { type BadRequest, badRequest, type Created, created, type NotFound, notFound } from 'wapix';
import { isRoom, rooms } from '../../../../chat';
import { addMessage, type Message } from '../../../../store';
import type { RequestHandler } from './$types';

type Result = Created<Message> | BadRequest<{ error: string }> | NotFound;
type Body = { from?: unknown; text?: unknown } | undefined;

const isText = (value: unknown, most: number): value is string =>
  typeof value === 'string' && value.trim() !== '' && value.length <= most;

const handler: RequestHandler<Result, Body> = async (req) => {
  const { room } = req.params;
  if (!isRoom(room)) return notFound();
  const { from, text } = req.body ?? {};
  if (!(isText(from, 40) && isText(text, 2000))) {
    return badRequest({ error: 'Send {"from": "…", "text": "…"}, of 40 and 2,000 characters' });
  }
  // Kept first: who comes after it was sent finds it there.
  const message = await addMessage(room, from, text);
  await rooms.publish({ topic: room, data: message });
  return created(message);
};

export default handler;
