import uWS from 'uwebsockets';
import { publishing } from './events.mjs';

const clients = new Set();
let id = 0;
uWS
  .App()
  .get('/events', (res) => {
    res.onAborted(() => clients.delete(res));
    res.cork(() => {
      res.writeHeader('Content-Type', 'text/event-stream').writeHeader('Cache-Control', 'no-cache');
      res.write('retry: 2000\n\n');
    });
    clients.add(res);
  })
  .listen('127.0.0.1', 0, (socket) => console.log(uWS.us_socket_local_port(socket)));
publishing((data) => {
  id += 1;
  const event = `id: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
  for (const client of clients) client.cork(() => client.write(event));
});
