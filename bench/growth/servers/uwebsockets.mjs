import uWS from 'uwebsockets';

let requests = 0;
const json = (res, value) =>
  res.writeHeader('Content-Type', 'application/json').end(JSON.stringify(value));

uWS
  .App()
  .get('/users/:id', (res, req) => {
    requests += 1;
    json(res, { id: req.getParameter(0), name: 'Ada Lovelace' });
  })
  .get('/requests', (res) => json(res, requests))
  .listen('127.0.0.1', 0, (socket) => console.log(uWS.us_socket_local_port(socket)));
