// What is asked of which servers. Where nothing else is said: HTTP/1.1, 64 connections, 3 rounds.
import * as goals from '../lib/goals.mjs';
import { caller, HEADERS, ORDER, PAGE, receipt, user } from './content.mjs';
import { measure } from './measure.mjs';

const WAPIX = ['wapix', 'wapix-in-loop'];
const IN_NODE = [...WAPIX, 'uwebsockets', 'node-http'];
const EVERYONE = [...IN_NODE, 'bun', 'deno', 'fastify'];
const WITH_TLS = [...WAPIX, 'node-http', 'bun', 'deno'];

const COST = ['perSecond', 'total', 'javascript'];
/** What the ratios are to: the first that takes part. */
const BASES = ['uwebsockets', 'node-http'];
const ROUTES = 1_000;
const CONNECTIONS = 64;

const json = (value) => ({ type: 'application/json', content: JSON.stringify(value) });
const getUser = (path = '/users/42') => ({ path, answer: json(user('42')) });

const SCENARIOS = {
  get: {
    title: '`GET /users/:id` → JSON',
    servers: [...EVERYONE, 'hono'],
    rounds: 5,
    figures: COST,
    goals: goals.PEERS,
    requests: [getUser()],
  },
  work: {
    title: 'The same, with 20 µs of JavaScript work in the handler',
    servers: IN_NODE,
    rounds: 5,
    figures: COST,
    goals: goals.WORK,
    requests: [getUser('/computed/42')],
  },
  pipelined: {
    title: '`GET /users/:id`, 16 requests at a time on each connection',
    servers: IN_NODE,
    rounds: 5,
    figures: ['perSecond', 'userTotal', 'userJavascript'],
    goals: goals.PIPELINED,
    pipelined: 16,
    requests: [getUser()],
  },
  sixteen: {
    title: '`GET /users/:id`, 16 connections',
    servers: IN_NODE,
    rounds: 5,
    figures: COST,
    goals: goals.SIXTEEN,
    connections: 16,
    requests: [getUser()],
  },
  one: {
    title: '`GET /users/:id`, one connection',
    servers: IN_NODE,
    bases: ['node-http'],
    rounds: 5,
    figures: ['p50', 'perSecond', 'total'],
    goals: goals.ONE,
    connections: 1,
    requests: [getUser()],
  },
  post: {
    title: '`POST` of 1 KB of JSON, parsed',
    servers: EVERYONE,
    figures: COST,
    goals: goals.PEERS,
    requests: [
      {
        method: 'POST',
        path: '/orders',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(ORDER),
        answer: json(receipt(ORDER)),
      },
    ],
  },
  headers: {
    title: '`GET` with 20 header fields, two of them read and answered',
    servers: EVERYONE,
    figures: COST,
    goals: goals.PEERS,
    requests: [
      {
        path: '/caller',
        headers: HEADERS,
        answer: json(caller(HEADERS.Authorization, HEADERS['X-Request-Id'])),
      },
    ],
  },
  page: {
    title: '`GET` of 10 KB of text',
    servers: EVERYONE,
    figures: COST,
    goals: goals.PEERS,
    requests: [{ path: '/page', answer: { type: 'text/plain', content: PAGE } }],
  },
  async: {
    title: '`GET /async/:id`: the handler awaits a resolved promise',
    servers: EVERYONE,
    figures: COST,
    goals: goals.PEERS,
    requests: [getUser('/async/42')],
  },
  routes: {
    title: `\`GET\` of ${ROUTES.toLocaleString('en')} routes with a parameter, in turn`,
    servers: EVERYONE,
    figures: COST,
    goals: goals.PEERS,
    routes: ROUTES,
    requests: Array.from({ length: ROUTES }, (_, index) => getUser(`/collection-${index}/42`)),
  },
  tls: {
    title: '`GET /users/:id` over TLS, HTTP/1.1',
    servers: WITH_TLS,
    figures: COST,
    goals: goals.SECURE,
    protocol: 'https',
    requests: [getUser()],
  },
  http2: {
    title: '`GET /users/:id` over TLS, HTTP/2: 16 connections with 4 streams each',
    servers: WITH_TLS,
    figures: COST,
    goals: goals.SECURE,
    protocol: 'h2',
    connections: 16,
    streams: 4,
    requests: [getUser()],
  },
};

export const REQUESTS = Object.fromEntries(
  Object.entries(SCENARIOS).map(([key, scenario]) => [
    key,
    {
      rounds: 3,
      bases: BASES,
      ...scenario,
      measure: (name, seconds) => measure({ connections: CONNECTIONS, ...scenario }, name, seconds),
    },
  ]),
);
