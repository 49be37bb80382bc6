import { readFileSync } from 'node:fs';
import { html, type NotFound, notFound, type Ok } from 'wapix';
import { isRoom } from '../../../chat';
import type { RequestHandler } from './$types';

/** The same for all rooms: its script takes the room from the address. */
const page = readFileSync(new URL('../../../../public/index.html', import.meta.url), 'utf8');

const handler: RequestHandler<Ok<string> | NotFound> = (req) =>
  isRoom(req.params.room) ? html(page) : notFound();

export default handler;
