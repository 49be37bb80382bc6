// What every server here answers, and how many requests it has answered with it.
import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';

export const CONTENT = JSON.stringify({ id: '42', name: 'Ada Lovelace' });

export async function ask(port) {
  assert.equal(await take(port, '/users/42'), CONTENT);
}

export async function answered(port) {
  return Number(await take(port, '/requests'));
}

async function take(port, path) {
  const sent = request({ host: '127.0.0.1', port, path, agent: false }).end();
  const [response] = await once(sent, 'response');
  assert.equal(response.statusCode, 200);
  assert.match(response.headers['content-type'], /^application\/json/);
  return await text(response);
}
