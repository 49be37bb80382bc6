/** What is tried everywhere: programs that serve and ask, an app of routes, and what they must answer. */

const BODY = `
const server = createServer({
  '/json/:id': { post: (req) => json({ id: req.params.id, body: req.body }) },
  '/stream': { get: () => stream(Readable.from(['a', 'b', 'c'])) },
});
server.listen(0, '127.0.0.1', async () => {
  const origin = 'http://127.0.0.1:' + server.address().port;
  const headers = { 'content-type': 'application/json' };
  const first = await fetch(origin + '/json/7', { method: 'POST', headers, body: '{"x":1}' });
  const second = await fetch(origin + '/stream');
  const third = await server.inject('/json/8', { method: 'POST', headers, body: '{"y":2}' });
  console.log(await first.text(), await second.text(), await third.text());
  server.close();
});
`;

export const PRINTED = '{"id":"7","body":{"x":1}} abc {"id":"8","body":{"y":2}}';

export const PROGRAMS = {
  'probe.mjs': `
import { Readable } from 'node:stream';
import { createServer, json, stream } from 'wapix';
${BODY}`,
  'probe.cjs': `
const { Readable } = require('node:stream');
const { createServer, json, stream } = require('wapix');
${BODY}`,
};

/** An app in TypeScript, as the documentation writes it. */
export const APP = {
  'src/greeting.ts': `export const greeting: string = 'hello';\n`,
  'src/routes/greet/$name/get.ts': `
import { json, type Ok, type RequestHandler } from 'wapix';
import { greeting } from '../../../greeting.js';

const get: RequestHandler<{ name: string }, Ok<string>> = ({ params }) =>
  json(\`\${greeting} \${params.name}\`);

export default get;
`,
  'src/routes/stream/get.ts': `
import { Readable } from 'node:stream';
import { stream } from 'wapix';

export default () => stream(Readable.from(['a', 'b', 'c']));
`,
};

export async function askApp(origin) {
  await expect(`${origin}/greet/you`, '"hello you"');
  await expect(`${origin}/stream`, 'abc');
}

/** The examples of the repository, and what each must answer. */
export const EXAMPLES = {
  hello: (origin) => expect(`${origin}/users/1`, '{"id":"1","name":"Ada"}'),
  streaming: (origin) => isPage(`${origin}/static/index.html`),
  dashboard: isPage,
};

async function isPage(origin) {
  const response = await fetch(origin);
  const text = await response.text();
  if (!text.includes('<title>')) throw new Error(`${origin} answered ${response.status} ${text}`);
}

async function expect(url, wanted) {
  const response = await fetch(url);
  const text = await response.text();
  if (text !== wanted) throw new Error(`${url} answered ${response.status} ${text}`);
}

/** What `tsc` is told in each project, and whether its output is CommonJS. */
export const RESOLUTIONS = {
  'node16, ES modules': { type: 'module', options: { module: 'node16' } },
  'node16, CommonJS': { type: 'commonjs', options: { module: 'node16' } },
  'nodenext, ES modules': { type: 'module', options: { module: 'nodenext' } },
  'nodenext, CommonJS': { type: 'commonjs', options: { module: 'nodenext' } },
  bundler: { type: 'module', options: { module: 'esnext', moduleResolution: 'bundler' } },
  'node10 (classic CommonJS)': {
    type: 'commonjs',
    options: { module: 'commonjs', moduleResolution: 'node10', ignoreDeprecations: '6.0' },
  },
};

/** Files that each have an environment of their own, in one process. */
export const SUITES = Object.fromEntries(
  [1, 2, 3].flatMap((number) => {
    const test = (head) => `${head}
test('it serves', async () => {
  const server = createServer({ '/': { get: () => json(${number}) } });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  const response = await fetch('http://127.0.0.1:' + server.address().port);
  expect(await response.json()).toBe(${number});
  await new Promise((closed) => server.close(closed));
});
`;
    return [
      [`jest/${number}.test.cjs`, test(`const { createServer, json } = require('wapix');`)],
      [
        `vitest/${number}.test.mjs`,
        test(`import { expect, test } from 'vitest';\nimport { createServer, json } from 'wapix';`),
      ],
    ];
  }),
);
