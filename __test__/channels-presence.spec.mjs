// Who is subscribed to a channel, and who is told of it.

import test from 'ava';
import { opener } from './helpers/channel.mjs';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { subscribe } from './helpers/event-source.mjs';
import { aborted, until } from './helpers/events.mjs';
import { serve, serveGet } from './helpers/server.mjs';

const open = opener('presence');

for (const ioThreads of [1, 3, 0]) {
  const on = ioThreads === 0 ? "in Node's event loop" : `on I/O threads: ${ioThreads}`;

  test(`size, join and leave follow who is there, ${on}`, async (t) => {
    const room = open();
    const said = [];
    room.on('join', (req) => said.push(`join ${req.params.who} ${room.size}`));
    room.on('leave', (req) => said.push(`leave ${req.params.who} ${room.size}`));
    const get = (req) => room.subscribe(req);
    const server = await serve(t, { '/:who': { get } }, { ioThreads });
    t.is(room.size, 0);
    const ada = await subscribe(t, server, '/ada');
    await until(() => said.length === 1, 'the first joins');
    const bob = await connect(t, server);
    bob.send(requestBytes('GET /bob'));
    await until(() => said.length === 2, 'the second joins');
    bob.reset();
    await until(() => said.length === 3, 'the second leaves');
    ada.leave();
    await until(() => said.length === 4, 'the first leaves');
    t.deepEqual(said, ['join ada 1', 'join bob 2', 'leave bob 1', 'leave ada 0']);
  });

  test(`the signal of a subscriber aborts when it leaves, ${on}`, async (t) => {
    const room = open();
    let signal;
    const get = (req) => {
      ({ signal } = req);
      return room.subscribe(req);
    };
    const server = await serveGet(t, get, { ioThreads });
    const source = await subscribe(t, server);
    await until(() => room.size === 1, 'subscribed');
    t.false(signal.aborted);
    source.leave();
    await aborted(signal);
    t.is(room.size, 0);
  });

  for (const event of ['join', 'leave']) {
    test(`${event} is told of where nobody listens to the other, ${on}`, async (t) => {
      const room = open();
      const said = [];
      room.on(event, (req) => said.push(req.url));
      const server = await serveGet(t, (req) => room.subscribe(req), { ioThreads });
      const source = await subscribe(t, server);
      await until(() => room.size === 1, 'subscribed');
      source.leave();
      await until(() => room.size === 0, 'left');
      await until(() => said.length > 0, event);
      t.deepEqual(said, ['/']);
    });
  }

  test(`who joins and leaves can be published where it is told, ${on}`, async (t) => {
    const room = open();
    for (const event of ['join', 'leave']) {
      room.on(event, (req) => room.publish({ event, data: `${req.params.who}, ${room.size}` }));
    }
    const server = await serve(
      t,
      { '/:who': { get: (req) => room.subscribe(req) } },
      { ioThreads },
    );
    const ada = await subscribe(t, server, '/ada');
    await ada.until(({ events }) => events.length === 1, 'its own coming');
    const bob = await subscribe(t, server, '/bob');
    await ada.until(({ events }) => events.length === 2, 'the coming of another');
    bob.leave();
    await ada.until(({ events }) => events.length === 3, 'its leaving');
    t.deepEqual(
      ada.events.map(({ type, data }) => `${type} ${data}`),
      ['join ada, 1', 'join bob, 2', 'leave bob, 1'],
    );
  });

  test(`who leaves before it is subscribed never came, ${on}`, async (t) => {
    const room = open();
    const said = [];
    room.on('join', () => said.push('join'));
    room.on('leave', () => said.push('leave'));
    let aborted;
    const get = async (req) => {
      await new Promise((resolve) => req.signal.addEventListener('abort', resolve));
      aborted = true;
      return room.subscribe(req);
    };
    const server = await serveGet(t, get, { ioThreads });
    const client = await connect(t, server);
    client.send(requestBytes('GET /'));
    await request(t, server, 'GET /nothing');
    client.reset();
    await until(() => aborted, 'the client has left');
    await request(t, server, 'GET /nothing');
    t.deepEqual(said, []);
    t.is(room.size, 0);
  });
}
