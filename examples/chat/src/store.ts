import { createClient } from '@redis/client';

export interface Message {
  /** From 1, in each room. */
  readonly number: number;
  readonly from: string;
  readonly text: string;
}

/** How many people each instance has in a room. */
export type Present = Record<string, number>;

/** How many messages of a room are kept. */
const KEPT = 200;

export const REDIS_URL = process.env.REDIS_URL ?? 'redis://localhost:6379';

// While Redis cannot be reached, so many commands wait for it.
const redis = createClient({ url: REDIS_URL, commandsQueueMaxLength: 1000 });
// It connects again by itself, and the channel prints that Redis is away.
redis.on('error', () => {});
redis.connect().catch(() => {});

export async function addMessage(room: string, from: string, text: string): Promise<Message> {
  const number = await redis.incr(`chat:${room}:last`);
  const message = { number, from, text };
  const key = `chat:${room}:messages`;
  await redis
    .multi()
    .zAdd(key, { score: number, value: JSON.stringify(message) })
    .zRemRangeByRank(key, 0, -KEPT - 1)
    .exec();
  return message;
}

/** The last messages, in order. */
export async function messagesOf(room: string): Promise<Message[]> {
  const messages = await redis.zRange(`chat:${room}:messages`, 0, -1);
  return messages.map((message) => JSON.parse(message));
}

export async function setPresent(room: string, instance: string, people: number): Promise<void> {
  await redis.hSet(`chat:${room}:present`, instance, people);
}

export async function presentIn(room: string): Promise<Present> {
  const present = await redis.hGetAll(`chat:${room}:present`);
  return Object.fromEntries(
    Object.entries(present).map(([instance, people]) => [instance, Number(people)]),
  );
}
