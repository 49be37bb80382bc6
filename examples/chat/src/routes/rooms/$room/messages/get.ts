import { json, type NotFound, notFound, type Ok } from 'wapix';
import { isRoom } from '../../../../chat';
import { type Message, messagesOf, type Present, presentIn } from '../../../../store';
import type { RequestHandler } from './$types';

type Result = Ok<{ messages: Message[]; present: Present }> | NotFound;

/** What there is for who comes late: the channel itself sends what is new. */
const handler: RequestHandler<Result> = async (req) => {
  const { room } = req.params;
  if (!isRoom(room)) return notFound();
  const [messages, present] = await Promise.all([messagesOf(room), presentIn(room)]);
  return json({ messages, present }, { 'Cache-Control': 'no-store' });
};

export default handler;
