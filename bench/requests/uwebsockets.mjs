import uWS from 'uwebsockets';

uWS
  .App()
  .get('/users/:id', (res, req) => {
    const body = JSON.stringify({ id: req.getParameter(0), name: 'Ada Lovelace' });
    res.writeHeader('Content-Type', 'application/json').end(body);
  })
  .listen('127.0.0.1', 0, (socket) => console.log(uWS.us_socket_local_port(socket)));
