import { notFound } from 'wapix';
import { isRoom, rooms } from '../../../../chat';
import type { RequestHandler } from './$types';

const handler: RequestHandler = (req) => {
  const { room } = req.params;
  return isRoom(room) ? rooms.subscribe(req, { topics: [room] }) : notFound();
};

export default handler;
