import { EventEmitter } from 'node:events';
import { inspect } from 'node:util';
import type {
  Backplane,
  ChannelEvent,
  ChannelOptions,
  Channel as Contract,
  HttpResult as ContractResult,
  Request,
  SharedChannel,
  SubscribeOptions,
} from '../index.js';
import { fromNative, WapixError } from './errors.js';
import { checkRedisUrl, openChannel } from './native.js';
import { readLimit, unknownName } from './options.js';
import { HttpResult } from './result.js';
import { encodeFields, eventHeaders } from './sse.js';
import { nextTick } from './timers.js';

type BindingChannel = ReturnType<typeof openChannel>;

const NAMES = {
  history: '',
  queue: '',
  slow: '',
  heartbeat: '',
  retry: '',
  backplane: '',
} satisfies Record<keyof ChannelOptions, string>;
const HISTORY_NAMES = { events: '', bytes: '' } satisfies Record<
  keyof NonNullable<ChannelOptions['history']>,
  string
>;

const REDIS_NAMES = { url: '', queue: '' } satisfies Record<keyof Backplane, string>;
const SUBSCRIBE_NAMES = { topics: '', headers: '' } satisfies Record<
  keyof SubscribeOptions,
  string
>;

/** What is asked for by a result that `Channel.subscribe` made. */
export interface Subscribing {
  /** The channel's number. */
  readonly number: number;
  readonly lastEventId: string;
  /** `name LF` for each, or all where it is undefined. */
  readonly topics: string | undefined;
  /** Told when the client is subscribed, and when it has left; undefined where nobody listens. */
  readonly presence: Presence | undefined;
}

export interface Presence {
  joined(): void;
  left(): void;
}

/** Those of this environment: `channel()` returns the same one for a name, whoever calls. */
const channels = new Map<string, Channel | OverRedis>();

export function channel<T>(
  name: string,
  options: ChannelOptions & { backplane: Backplane },
): SharedChannel<T>;
// biome-ignore lint/suspicious/noExplicitAny: what is published is for the caller to type
export function channel<T = any>(name: string, options?: ChannelOptions): Contract<T>;
export function channel(name: string, options?: ChannelOptions): unknown {
  if (typeof name !== 'string') {
    const message = `a channel's name is a string, not of type ${typeof name}`;
    throw new WapixError('WAPIX_INVALID_OPTION', message);
  }
  let native: BindingChannel;
  try {
    // Asked each time: Rust compares the options.
    native = openChannel(name, options && readOptions(options));
  } catch (error) {
    throw fromNative(error);
  }
  let channel = channels.get(name);
  if (channel === undefined) {
    channel = native.isShared ? new OverRedis(name, native) : new Channel(name, native);
    channels.set(name, channel);
  }
  return channel;
}

/** Where the events of a channel are kept for several processes. */
export function redis(options: { url: string; queue?: number }): Backplane {
  if (typeof options !== 'object' || options === null) {
    // A URL in their place may have a password.
    const what = options === null ? 'null' : `of type ${typeof options}`;
    const message = `redis({ url }): its options are an object, not ${what}`;
    throw new WapixError('WAPIX_INVALID_OPTION', message);
  }
  const unknown = unknownName(options, REDIS_NAMES);
  if (unknown !== undefined) throw new WapixError('WAPIX_INVALID_OPTION', unknown);
  const { url } = options;
  if (typeof url !== 'string') {
    const message = `redis({ url }): the url is a string, not of type ${typeof url}`;
    throw new WapixError('WAPIX_INVALID_OPTION', message);
  }
  try {
    checkRedisUrl(url);
  } catch (error) {
    throw fromNative(error);
  }
  const { queue = 0 } = readLimit('queue', 'queue', 'events', options.queue);
  return { url, queue };
}

abstract class Subscribable extends EventEmitter {
  constructor(
    readonly name: string,
    protected readonly native: BindingChannel,
  ) {
    super();
  }

  get size(): number {
    return this.native.size();
  }

  subscribe(request: Request, options: SubscribeOptions = {}): ContractResult<this> {
    const { topics, headers } = options;
    // Misspelt topics would be all of them.
    const unknown = unknownName(options, SUBSCRIBE_NAMES);
    if (unknown !== undefined) throw new WapixError('WAPIX_INVALID_OPTION', unknown);
    if (topics !== undefined && !Array.isArray(topics)) {
      const message = `topics is an array of strings, not ${inspect(topics)}`;
      throw new WapixError('WAPIX_INVALID_OPTION', message);
    }
    const isFollowed = this.listenerCount('join') + this.listenerCount('leave') > 0;
    const subscribing: Subscribing = {
      number: this.native.number,
      lastEventId: request.lastEventId ?? '',
      topics: topics?.map((topic) => `${checkTopic(topic)}\n`).join(''),
      presence: isFollowed ? this.#presenceOf(request) : undefined,
    };
    const result = new HttpResult(
      200,
      this,
      eventHeaders(headers),
      'channel',
      undefined,
      undefined,
      {
        subscribing,
      },
    );
    return result as unknown as ContractResult<this>;
  }

  #presenceOf(request: Request): Presence {
    // Called while a batch is read, which a listener that throws must not end.
    const emit = (event: 'join' | 'leave') => nextTick(() => this.emit(event, request));
    return { joined: () => emit('join'), left: () => emit('leave') };
  }
}

class Channel extends Subscribable implements Contract<unknown> {
  publish(event: ChannelEvent<unknown>): string {
    return this.native.publish(encode(event), event.topic);
  }
}

class OverRedis extends Subscribable implements SharedChannel<unknown> {
  async publish(event: ChannelEvent<unknown>): Promise<string> {
    const { id, error } = await this.native.publishShared(encode(event), event.topic);
    if (id !== undefined) return id;
    throw new WapixError(
      'WAPIX_BACKPLANE_UNAVAILABLE',
      `channel ${JSON.stringify(this.name)}: Redis has not taken the event, which was sent to the ` +
        `subscribers of this process only: ${error}`,
    );
  }
}

/** @throws `WAPIX_INVALID_EVENT` */
function encode(event: ChannelEvent<unknown>): string {
  const fields = encodeFields(event);
  if (event.data === undefined) {
    throw new WapixError('WAPIX_INVALID_EVENT', 'an event without `data` is none for its clients');
  }
  if (event.topic !== undefined) checkTopic(event.topic);
  return fields;
}

function readOptions(options: ChannelOptions): Parameters<typeof openChannel>[1] {
  const { slow, backplane } = options;
  const history = options.history ?? {};
  for (const [name, value] of Object.entries({ options, history })) {
    if (typeof value === 'object') continue;
    const message = `the ${name} of a channel are an object, not ${inspect(value)}`;
    throw new WapixError('WAPIX_INVALID_OPTION', message);
  }
  const unknown = unknownName(options, NAMES) ?? unknownName(history, HISTORY_NAMES);
  if (unknown !== undefined) throw new WapixError('WAPIX_INVALID_OPTION', unknown);
  if (slow !== undefined && slow !== 'disconnect' && slow !== 'latest') {
    const message = `slow is 'disconnect' or 'latest', not ${String(slow)}`;
    throw new WapixError('WAPIX_INVALID_OPTION', message);
  }
  return {
    ...readLimit('historyEvents', 'history.events', 'events', history.events),
    ...readLimit('historyBytes', 'history.bytes', 'bytes', history.bytes),
    ...readLimit('queue', 'queue', 'bytes', options.queue),
    ...readLimit('heartbeat', 'heartbeat', 'milliseconds', options.heartbeat),
    ...readLimit('retry', 'retry', 'milliseconds', options.retry),
    latest: slow === 'latest',
    ...(backplane !== undefined && readBackplane(backplane)),
  };
}

/** One that is none would make a channel of this process only, and nobody would know. */
function readBackplane(backplane: Backplane): { redisUrl: string; redisQueue: number } {
  if (typeof backplane !== 'object' || backplane === null) {
    const what = backplane === null ? 'null' : `of type ${typeof backplane}`;
    const message = `backplane is what redis({ url }) returns, not ${what}`;
    throw new WapixError('WAPIX_INVALID_OPTION', message);
  }
  const { url: redisUrl, queue: redisQueue } = redis(backplane);
  return { redisUrl, redisQueue };
}

function checkTopic(topic: unknown): string {
  if (typeof topic === 'string' && topic !== '' && !/[\r\n]/.test(topic)) return topic;
  const what =
    typeof topic === 'string' ? JSON.stringify(topic) : `a value of type ${typeof topic}`;
  const message = `a topic is a string of one line, not ${what}`;
  throw new WapixError('WAPIX_INVALID_EVENT', message);
}
