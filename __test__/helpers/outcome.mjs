import { connect, requestBytes } from './client.mjs';
import { readResponse } from './message.mjs';

const AT_A_TIME = 64;

/** `use(item)` for each, so many at a time. */
export async function bounded(items, use) {
  const left = items.values();
  const worker = async () => {
    for (const item of left) await use(item);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
}

/**
 * What becomes of a connection that sends `bytes` and waits for the server to end it: the statuses of
 * the answers, what came that is none, how it ended, and the client's port.
 */
export async function outcomeOf(t, server, bytes) {
  const client = await connect(t, server);
  const port = client.socket.localPort;
  client.send(bytes);
  const ending = await client.ended();
  const statuses = [];
  let left = client.bytes;
  while (left.length > 0 && left.subarray(0, 5).equals(Buffer.from('HTTP/'))) {
    const response = readResponse(left, { method: 'GET', ended: true });
    if (response === undefined) break;
    statuses.push(response.status);
    left = left.subarray(response.length);
  }
  client.destroy();
  return { statuses, left, ending, port };
}

/** A client that behaves well, on one connection throughout: each call is a request and its answer. */
export async function wellBehaved(t, server) {
  const client = await connect(t, server);
  return () => {
    client.send(requestBytes('POST /', {}, 'hello'));
    return client.response();
  };
}
