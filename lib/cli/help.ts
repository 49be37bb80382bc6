/** What `wapix --help` prints. */
export const HELP = `Usage: wapix <command> [options]

Commands
  start                 serve the routes in ./lib/routes
  dev                   serve the routes in ./src/routes, and restart when a file changes
  routes                print the routes that start would serve
  types                 write what makes req.params exact, from the tree of ./src/routes

Options
  -p, --port <number>   port to listen on; 0 lets the system choose (default: $PORT, else 3000)
      --host <host>     address to listen on (default: every address)
      --routes <dir>    routes directory
      --watch           as dev does
      --key <file>      private key (PEM): with --cert, serve HTTPS
      --cert <file>     certificate chain (PEM)
      --ca <file>       authorities (PEM) that clients must have their certificates from
      --trust-proxy <who>
                        whose X-Forwarded-For is believed: true, loopback, an address or a range
                        (repeatable)
      --io-threads <n>  how many threads serve sockets; 0: the JavaScript thread does
                        (default: $WAPIX_IO_THREADS, else 0 where there is one core, else 1)
      --liveness-path <path>
                        answer 200 there as long as the server serves, before any route
      --close-deadline <ms>
                        how long requests in flight may take after a signal (start only,
                        default: 10000; dev always waits 1000)
      --log             log each request: JSON, or a line for people on a terminal
  -h, --help            print this
  -v, --version         print the version

Limits, of bytes, milliseconds or how many
      --body-limit, --max-header-size, --max-headers-count, --max-url-length,
      --max-connections, --max-concurrent-requests,
      --headers-timeout, --request-timeout, --keep-alive-timeout, --write-timeout

Options of dev
  -i, --include <glob>  restart only when files that match change (repeatable)
  -e, --exclude <glob>  do not restart when files that match change (repeatable)

dev restarts for every file of the project but those in node_modules and .git, build output at the
project's root (dist, build, out, coverage), names that begin with a dot, logs and SQLite databases.
All of these but node_modules and .git can be named with --include.
`;
