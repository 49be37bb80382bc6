/**
 * Serves the example app; further arguments are `wapix start`'s. One process for the build and the
 * server, so that a signal sent to it reaches the server.
 */
import './setup.mjs';

process.argv.splice(2, 0, 'start', '--routes', 'examples/hello/src/routes');
await import('../bin/wapix.js');
