import test from 'ava';
import { answering, call, wapix } from './fixtures/cli.mjs';
import { project } from './fixtures/project.mjs';
import { lastingPort } from './helpers/server.mjs';

const START = ['start', '-p', '0', '--host', '127.0.0.1'];

/** Runs `wapix start` over these files, and returns how it failed. */
async function failure(t, files) {
  const { root } = project(t, { 'lib/routes/get.mjs': answering('"root"'), ...files });
  return wapix(t, root, START).exit;
}

const ECHO = {
  'lib/routes/post.mjs':
    "import { text } from 'wapix'; export default (req) => text(String(req.body));",
  'lib/routes/fails/get.mjs': 'export default () => { throw new Error("on purpose"); };',
};

const WAYS = {
  'a module': ['mjs', 'export default'],
  CommonJS: ['cjs', 'module.exports ='],
  'what a compiler made CommonJS': [
    'cjs',
    'Object.defineProperty(exports, "__esModule", { value: true }); exports.default =',
  ],
};

for (const [name, [extension, exported]] of Object.entries(WAYS)) {
  test(`$options: ${name} says what the server does`, async (t) => {
    const options = `{
      securityHeaders: true,
      onNotFound: (req) => new Response('none at ' + req.url, { status: 404 }),
      onError: (error) => new Response(error.message, { status: 503 }),
    }`;
    const { root } = project(t, {
      ...ECHO,
      [`lib/routes/$options.${extension}`]: `${exported} ${options};`,
    });
    const url = await wapix(t, root, START).url();
    t.deepEqual(await call(`${url}/none`), { status: 404, body: 'none at /none' });
    t.deepEqual(await call(`${url}/fails`), { status: 503, body: 'on purpose' });
    const response = await fetch(`${url}/none`);
    t.is(response.headers.get('x-content-type-options'), 'nosniff');
  });
}

test('$options.ts shares what it imports with the routes', async (t) => {
  const { root } = project(t, {
    'lib/count.ts': 'export const seen: string[] = [];',
    'lib/routes/get.ts': answering('seen.join()', 'import { seen } from "../count";'),
    'lib/routes/$options.ts': `
      import { notFound, type ServerOptions } from 'wapix';
      import { seen } from '../count';
      export default {
        onNotFound: (req) => { seen.push(req.url); return notFound(); },
      } satisfies ServerOptions;`,
  });
  const url = await wapix(t, root, START).url();
  await call(`${url}/none`);
  t.is((await call(url)).body, '/none');
});

test('$options: what they set up, the routes find', async (t) => {
  const { root } = project(t, {
    'lib/routes/a/get.mjs': answering('found', 'const found = globalThis.setUp;'),
    'lib/routes/$options.mjs': 'globalThis.setUp = "set up"; export default {};',
  });
  const url = await wapix(t, root, START).url();
  t.deepEqual(await call(`${url}/a`), { status: 200, body: 'set up' });
});

test('$options: onClose is called once the last request is answered, and wapix start waits for it', async (t) => {
  const { root } = project(t, {
    'lib/routes/get.mjs': `
      import { text } from 'wapix';
      export default () => {
        console.log('waiting');
        return new Promise((resolve) => {
          process.once('SIGTERM', () => {
            console.log('answered');
            resolve(text('whole'));
          });
        });
      };`,
    'lib/routes/$options.mjs': `
      import { setImmediate } from 'node:timers/promises';
      export default {
        onClose: async () => {
          console.log('closed');
          await setImmediate();
          console.log('cleared');
        },
      };`,
  });
  const run = wapix(t, root, START);
  const body = call(await run.url());
  await run.prints(/waiting/);
  run.child.kill('SIGTERM');
  t.deepEqual(await body, { status: 200, body: 'whole' });
  const { code, stdout } = await run.exit;
  t.is(code, 0);
  t.regex(stdout, /waiting\nanswered\nclosed\ncleared\n$/);
});

test('$options: the command line wins', async (t) => {
  const { root } = project(t, {
    ...ECHO,
    'lib/routes/$options.mjs': "export default { bodyLimit: 2, livenessPath: '/alive' };",
  });
  const post = { method: 'POST', body: 'abc' };
  const own = await wapix(t, root, START).url();
  t.is((await fetch(own, post)).status, 413);
  const other = await wapix(t, root, [...START, '--body-limit', '3']).url();
  t.is((await fetch(other, post)).status, 200);
  t.is((await call(`${other}/alive`)).body, 'alive');
});

const WRONG = [
  ['no object', { '$options.mjs': 'export default () => {};' }, /no object/],
  ['an array', { '$options.mjs': 'export default [];' }, /no object/],
  ['nothing exported', { '$options.mjs': 'export const cors = {};' }, /no object/],
  ['an unknown option', { '$options.mjs': 'export default { port: 80 };' }, /"port"/],
  ['https', { '$options.mjs': 'export default { https: {} };' }, /--key and --cert/],
  ['a value of another type', { '$options.mjs': 'export default { onError: 1 };' }, /onError/],
  ['an option of an option', { '$options.mjs': "export default { cors: { origin: 'x' } };" }, /origin/],
  ['a mistake in it', { '$options.mjs': 'export default {' }, /could not be loaded/],
  ['another directory', { 'users/$options.mjs': 'export default {};' }, /at the root/],
  ['a name in capitals', { '$Options.mjs': 'export default {};' }, /is named \$options\.ts/],
  ['two of them', { '$options.mjs': 'export default {};', '$options.js': '' }, /keep one/],
]; // biome-ignore format: a table

for (const [name, files, message] of WRONG) {
  test(`$options: ${name} ends wapix start, naming the file`, async (t) => {
    const inRoutes = Object.entries(files).map(([file, text]) => [`lib/routes/${file}`, text]);
    const { code, stdout, stderr } = await failure(t, Object.fromEntries(inRoutes));
    t.not(code, 0);
    t.is(stdout, '');
    t.regex(stderr, message);
    t.true(stderr.includes(`lib/routes/${Object.keys(files)[0]}`), stderr);
  });
}

test('$options: dev follows a change', async (t) => {
  const options = (answer) =>
    `export default { onNotFound: () => new Response('${answer}', { status: 404 }) };`;
  const { root, write } = project(t, {
    'src/routes/get.ts': answering('"root"'),
    'src/routes/$options.ts': options('first'),
  });
  const run = wapix(t, root, ['dev', '-p', String(lastingPort())]);
  const url = await run.url();
  t.is((await call(`${url}/none`)).body, 'first');
  write('src/routes/$options.ts', options('second'));
  await run.restart();
  t.is((await call(`${url}/none`)).body, 'second');
});
