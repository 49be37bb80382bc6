import { channel, type Request, redis } from 'wapix';
import { type Message, REDIS_URL, setPresent } from './store';

/** What `presence` events say. */
interface Presence {
  readonly instance: string;
  /** How many people this instance has in the room. */
  readonly people: number;
}

/** One channel; a room is a topic of it. Messages wait here while Redis is away. */
export const rooms = channel<Message | Presence>('rooms', {
  backplane: redis({ url: REDIS_URL, queue: 1000 }),
});

export const INSTANCE = process.env.INSTANCE ?? '1';

/** Of this instance. */
const people = new Map<string, number>();

rooms.on('join', (req) => changePeople(req, 1));
rooms.on('leave', (req) => changePeople(req, -1));

function changePeople(req: Request, by: number): void {
  const room = req.params.room ?? '';
  const now = (people.get(room) ?? 0) + by;
  if (now === 0) people.delete(room);
  else people.set(room, now);
  tell(room, now).catch((error) => console.error('Nobody was told who is there:', error.message));
}

/** Kept first, so that who comes now and reads it misses nothing. */
async function tell(room: string, people: number): Promise<void> {
  await setPresent(room, INSTANCE, people);
  await rooms.publish({
    event: 'presence',
    topic: room,
    data: { instance: INSTANCE, people },
  });
}

/** Letters, digits, `-` and `_`. */
export const isRoom = (name: string) => /^[\p{L}\p{N}_-]{1,40}$/u.test(name);
