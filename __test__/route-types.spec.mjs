// `wapix types`, and what `wapix dev` does of it: `req.params` of a handler is what its path says.

import { existsSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { wapix } from './fixtures/cli.mjs';
import { project } from './fixtures/project.mjs';
import { within } from './helpers/deadline.mjs';
import { start } from './helpers/program.mjs';

const TSC = createRequire(import.meta.url).resolve('typescript/bin/tsc');
const TYPE_ROOTS = fileURLToPath(new URL('../node_modules/@types', import.meta.url));

const tsconfig = (options) =>
  JSON.stringify({
    compilerOptions: {
      target: 'es2023',
      lib: ['es2023'],
      module: 'nodenext',
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      types: ['node'],
      typeRoots: [TYPE_ROOTS],
      rootDirs: ['.', '.wapix/types'],
      ...options,
    },
    include: ['src'],
  });

const USER = `
  import { json, notFound, type NotFound, type Ok } from 'wapix';
  import type { Params, RequestHandler } from './$types.js';

  const users: Record<Params['userId'], string> = { 1: 'Ada' };
  const handler: RequestHandler<Ok<string> | NotFound> = (req) => {
    const name = users[req.params.userId];
    return name === undefined ? notFound() : json(name);
  };
  export default handler;
`;

const FILES = {
  'package.json': '{"type":"module"}',
  'tsconfig.json': tsconfig(),
  'src/routes/get.ts': `
    import { text } from 'wapix';
    import type { RequestHandler } from './$types.js';
    const handler: RequestHandler = (req) => {
      // @ts-expect-error: a path without parameters
      req.params.any;
      return text(req.url);
    };
    export default handler;
  `,
  'src/routes/proxied/get.ts': `
    import { json, type Ok } from 'wapix';
    import type { RequestHandler } from './$types.js';
    export const named: RequestHandler<Ok<string> | globalThis.Response> = () => new Response();
    // @ts-expect-error: a web Response that it does not name
    export const wrong: RequestHandler<Ok<string>> = () => new Response();
    const handler: RequestHandler = (req) => (req.query.a ? json(1) : fetch('http://other.example'));
    export default handler;
  `,
  'src/routes/users/$userId/get.ts': USER,
  'src/routes/users/$userId/posts/$post-id/put.ts': `
    import { json, type Ok } from 'wapix';
    import type { RequestHandler } from './$types.js';
    type Body = { title: string };
    const handler: RequestHandler<Ok<string>, Body, { draft: string }> = ({ params, body, query }) => {
      // @ts-expect-error: not a parameter of the path
      params.postId;
      return json([params.userId, params['post-id'], body.title, query.draft].join());
    };
    export default handler;
  `,
  'src/routes/files/$...path/get.ts': `
    import { text } from 'wapix';
    import type { RequestHandler } from './$types.js';
    const handler: RequestHandler = ({ params }) => text(params.path.toUpperCase());
    export default handler;
  `,
  'src/routes/files/$...path/delete.ts': `
    import { badRequest, noContent, type NoContent } from 'wapix';
    import type { RequestHandler } from './$types.js';
    // @ts-expect-error: a result that it does not name
    export const wrong: RequestHandler<NoContent> = () => badRequest();
    const handler: RequestHandler<NoContent> = () => noContent();
    export default handler;
  `,
  'src/routes/plain/$id/get.ts': `
    import { json, type RequestHandler } from 'wapix';
    const handler: RequestHandler<{ id: string }> = (req) => json(req.params.id);
    export default handler;
  `,
};

/** What `tsc` says of the project: nothing where it compiles. */
async function compile(t, root) {
  const run = start(t, process.execPath, [TSC, '-p', root], { cwd: root });
  await within(run.exited, 'the end of tsc', 40_000);
  return run.stdout;
}

const types = (t, root, ...args) => wapix(t, root, ['types', ...args]).exit;
const typesFile = (directory) => `.wapix/types/src/routes/${directory}/$types.d.ts`;

test('handlers have the parameters of their paths, without naming them', async (t) => {
  const { root, path } = project(t, FILES);
  const { code, stdout, stderr } = await types(t, root);
  t.is(code, 0, stderr);
  t.is(stdout, '  The types of src/routes are in .wapix/types.\n');
  t.is(await compile(t, root), '');
  t.false(existsSync(path('.wapix/types/src/routes/users/$types.d.ts')), 'no route, no types');
});

test('without file extensions too, as bundlers resolve', async (t) => {
  const files = Object.entries(FILES).map(([file, source]) => [
    file,
    source.replace('$types.js', '$types'),
  ]);
  const options = { module: 'preserve', moduleResolution: 'bundler' };
  const { root } = project(t, {
    ...Object.fromEntries(files),
    'tsconfig.json': tsconfig(options),
  });
  await types(t, root);
  t.is(await compile(t, root), '');
});

test('a renamed directory breaks the build where its parameter is read', async (t) => {
  const { root, path } = project(t, FILES);
  await types(t, root);
  renameSync(path('src/routes/users/$userId'), path('src/routes/users/$name'));
  await types(t, root);
  const errors = (await compile(t, root)).split('\n').filter((line) => line.includes('error'));
  t.is(errors.length, 3, errors.join('\n'));
  for (const error of errors) t.regex(error, /^src\/routes\/users\/\$name\/.*userId/);
  t.false(existsSync(path(typesFile('users/$userId'))));
});

test('the compiler says what is wrong with the chunks of a generator', async (t) => {
  const { root } = project(t, {
    'package.json': '{"type":"module"}',
    'tsconfig.json': tsconfig(),
    'src/chunks.ts': `
      import { sse, stream } from 'wapix';
      async function* rows() { yield { id: 1 }; }
      async function* words() { yield 'hello'; }
      stream(rows());
      sse(words());
    `,
  });
  const said = await compile(t, root);
  t.regex(said, /'\{ id: number; \}' is not assignable to type 'string \| Uint8Array/);
  t.regex(said, /'string' has no properties in common with type 'ServerSentEvent/);
});

test('types of what has not changed are not written again', async (t) => {
  const { root, path } = project(t, FILES);
  await types(t, root);
  const file = path(typesFile('users/$userId'));
  const { mtimeNs } = statSync(file, { bigint: true });
  await types(t, root);
  t.is(statSync(file, { bigint: true }).mtimeNs, mtimeNs);
});

test('a tsconfig.json that does not ask for them is told how', async (t) => {
  const { root, path } = project(t, FILES);
  rmSync(path('tsconfig.json'));
  const none = await types(t, root);
  t.is(none.code, 1);
  t.regex(none.stderr, /^error WAPIX_NO_TSCONFIG\n.*src\/routes/);
  const [suggested] = /\{.*\}/.exec(none.stderr);
  t.deepEqual(JSON.parse(suggested), { compilerOptions: { rootDirs: ['.', '.wapix/types'] } });

  const { root: other } = project(t, { ...FILES, 'tsconfig.json': '{}' });
  const { code, stdout } = await types(t, other);
  t.is(code, 0);
  t.true(stdout.includes('tsconfig.json: "rootDirs": [".", ".wapix/types"]'), stdout);
});

test('routes that are none, and options that it does not have, are refused', async (t) => {
  const { root } = project(t, { ...FILES, 'src/routes/[id]/get.ts': '' });
  const invalid = await types(t, root);
  t.is(invalid.code, 1);
  t.true(invalid.stderr.startsWith('error WAPIX_INVALID_ROUTE\n'), invalid.stderr);
  t.is((await types(t, root, '--port', '1')).code, 2);
  t.is((await types(t, root, '--routes', 'nowhere')).code, 1);
});

test('wapix dev writes them at its start, and after each change', async (t) => {
  const { root, path, write } = project(t, FILES);
  const dev = wapix(t, root, ['dev', '--port', '0', '--host', '127.0.0.1']);
  const url = await within(dev.url(), 'the start');
  t.is(await (await fetch(`${url}/users/1`)).json(), 'Ada');
  t.true(readFileSync(path(typesFile('users/$userId')), 'utf8').includes('"userId": string'));

  write('src/routes/teams/$team/get.ts', FILES['src/routes/plain/$id/get.ts']);
  await within(dev.restart(), 'a restart');
  t.true(readFileSync(path(typesFile('teams/$team')), 'utf8').includes('"team": string'));
});

test('wapix dev writes none where the project does not ask for them', async (t) => {
  const { root, path } = project(t, { ...FILES, 'tsconfig.json': '{}' });
  const dev = wapix(t, root, ['dev', '--port', '0', '--host', '127.0.0.1']);
  await within(dev.url(), 'the start');
  t.false(existsSync(path('.wapix')));
});
