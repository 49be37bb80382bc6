import { mkdirSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import ava from 'ava';
import { project } from './fixtures/project.mjs';

// One process loads one project, so they are loaded one at a time here as well.
const test = ava.serial;
const require = createRequire(import.meta.url);
const { loadRoutes } = require('../dist/routes/load.js');
const { scanRoutes } = require('../dist/routes/scan.js');

const HANDLER = 'export default () => {};\n';

/** The problem that `files` under a routes directory are. */
function problemWith(t, files) {
  const { path } = project(t, { 'routes/get.ts': HANDLER, ...files });
  return t.throws(() => scanRoutes(path('routes')));
}

/** What the handler of `GET /` answers, in a project of `files`. */
async function answer(t, files) {
  const { path } = project(t, files);
  const { routes } = await loadRoutes(path('src/routes'));
  return routes['/'].get();
}

test('directories are segments, files are methods', (t) => {
  const { path } = project(t, {
    'routes/get.ts': '',
    'routes/users/post.mjs': '',
    'routes/users/get.js': '',
    'routes/users/$id/delete.cts': '',
    'routes/users/$id/patch.mts': '',
    'routes/users/$id/put.cjs': '',
    'routes/users/me/head.ts': '',
    'routes/files/$...rest/options.ts': '',
    'routes/hello world/über/get.ts': '',
    'routes/.well-known/acme/get.ts': '',
  });
  t.deepEqual(
    scanRoutes(path('routes')).map(({ path, method }) => `${method} ${path}`),
    [
      'get /',
      'get /.well-known/acme',
      'options /files/*rest',
      'get /hello world/über',
      'get /users',
      'post /users',
      'put /users/:id',
      'patch /users/:id',
      'delete /users/:id',
      'head /users/me',
    ],
  );
});

test('other files are not routes', (t) => {
  const { path } = project(t, {
    'routes/get.ts': '',
    'routes/types.ts': '',
    'routes/get.test.ts': '',
    'routes/get.spec.js': '',
    'routes/post.d.ts': '',
    'routes/_post.ts': '',
    'routes/put.json': '',
    'routes/patch.ts.bak': '',
    'routes/node_modules/dep/get.js': '',
    'routes/.cache/get.js': '',
    'routes/[a] name?/readme.md': '',
  });
  t.deepEqual(
    scanRoutes(path('routes')).map(({ method, path }) => `${method} ${path}`),
    ['get /'],
  );
});

test('a linked directory is followed', (t) => {
  const { path } = project(t, { 'elsewhere/get.ts': '', 'routes/post.ts': '' });
  symlinkSync(path('elsewhere'), path('routes/linked'), 'junction');
  t.deepEqual(
    scanRoutes(path('routes')).map(({ method, path }) => `${method} ${path}`),
    ['post /', 'get /linked'],
  );
});

test('a link that leads back is an error', (t) => {
  const { path } = project(t, { 'routes/get.ts': '' });
  symlinkSync(path('routes'), path('routes/again'), 'junction');
  const error = t.throws(() => scanRoutes(path('routes')));
  t.is(error.code, 'WAPIX_INVALID_ROUTE');
  t.regex(error.message, /again links back/);
});

const PROBLEMS = [
  {
    what: 'two parameter names at one level',
    files: ['users/$id/get.ts', 'users/$name/posts/get.ts'],
    code: 'WAPIX_ROUTE_CONFLICT',
  },
  {
    what: 'two catch-all names at one level',
    files: ['$...path/get.ts', '$...rest/get.ts'],
    code: 'WAPIX_ROUTE_CONFLICT',
  },
  {
    what: 'two files for one method',
    files: ['a/get.js', 'a/get.ts'],
    code: 'WAPIX_ROUTE_CONFLICT',
  },
  { what: 'routes inside a catch-all', files: ['$...rest/more/get.ts'], names: ['$...rest/more'] },
  { what: 'a parameter without a name', files: ['$/get.ts'], names: ['routes/$:'] },
  { what: 'a catch-all without a name', files: ['$.../get.ts'], names: ['routes/$...:'] },
  { what: 'a parameter with another sign in its name', files: ['$id?/get.ts'], names: ['$id?'] },
  { what: 'one parameter name twice in a path', files: ['$id/$id/get.ts'], names: ['$id/$id'] },
  { what: 'a directory :id', files: [':id/get.ts'], names: [':id', '$id'] },
  { what: 'a directory *rest', files: ['*rest/get.ts'], names: ['*rest'] },
  { what: 'a directory [id]', files: ['[id]/get.ts'], names: ['[id]', '$id'] },
  { what: 'a directory that no segment can be', files: ['a%2Fb/get.ts'], names: ['a%2Fb'] },
  { what: 'a method file in upper case', files: ['a/GET.ts'], names: ['a/GET.ts', 'get.ts'] },
  { what: 'a method file with JSX', files: ['a/get.tsx'], names: ['a/get.tsx'] },
];

for (const { what, files, code = 'WAPIX_INVALID_ROUTE', names = files } of PROBLEMS) {
  test(`${what}: an error that names the file`, (t) => {
    const error = problemWith(t, Object.fromEntries(files.map((file) => [`routes/${file}`, ''])));
    t.is(error.code, code);
    for (const name of names) t.true(error.message.includes(name), error.message);
  });
}

test('every problem is reported, not only the first', (t) => {
  const { message } = problemWith(t, {
    'routes/a/get.js': '',
    'routes/a/get.ts': '',
    'routes/$/get.ts': '',
    'routes/b/POST.ts': '',
  });
  t.is(message.split('\n').length, 3, message);
});

test('a missing routes directory is an error', async (t) => {
  const { path } = project(t, { file: '' });
  const missing = await t.throwsAsync(() => loadRoutes(path('routes')));
  t.is(missing.code, 'WAPIX_ROUTES_NOT_FOUND');
  const file = await t.throwsAsync(() => loadRoutes(path('file')));
  t.is(file.code, 'WAPIX_ROUTES_NOT_FOUND');
});

test('the default export is unwrapped', async (t) => {
  const { path } = project(t, {
    'routes/get.js': 'module.exports = () => "function";',
    'routes/post.cjs': 'module.exports.default = () => "default";',
    'routes/put.cjs': 'module.exports = { default: { default: () => "twice" } };',
    'routes/patch.mjs': 'export default { default: () => "in a module" };',
    'routes/delete.cjs':
      'Object.defineProperty(exports, "__esModule", { value: true }); exports.default = () => "compiled";',
  });
  const { routes } = await loadRoutes(path('routes'));
  const answers = Object.entries(routes['/']).map(([method, handler]) => [method, handler()]);
  t.deepEqual(Object.fromEntries(answers), {
    get: 'function',
    post: 'default',
    put: 'twice',
    patch: 'in a module',
    delete: 'compiled',
  });
});

test('the default export is unwrapped beside TypeScript routes', async (t) => {
  const { path } = project(t, {
    'routes/get.ts': 'export default () => "typescript";',
    'routes/post.cjs': 'module.exports = { default: { default: () => "twice" } };',
    'routes/put.cts': 'module.exports = (): string => "cts";',
    'routes/patch.cts': 'const handler = (): string => "export ="; export = handler;',
  });
  const { routes } = await loadRoutes(path('routes'));
  const answers = Object.entries(routes['/']).map(([method, handler]) => [method, handler()]);
  t.deepEqual(Object.fromEntries(answers), {
    get: 'typescript',
    post: 'twice',
    put: 'cts',
    patch: 'export =',
  });
});

test('route files with no function as default export are named, all of them', async (t) => {
  const { path } = project(t, {
    'routes/a/get.ts': 'export const handler = () => {};',
    'routes/b/get.ts': 'export default { handler: true };',
    'routes/c/get.ts': HANDLER,
  });
  const error = await t.throwsAsync(() => loadRoutes(path('routes')));
  t.is(error.code, 'WAPIX_INVALID_ROUTE');
  t.regex(error.message, /a\/get\.ts/);
  t.regex(error.message, /b\/get\.ts/);
  t.notRegex(error.message, /c\/get\.ts/);
});

test('a syntax error names the file and the line', async (t) => {
  const { path } = project(t, {
    'routes/get.ts': 'import "../broken";\nexport default () => {};',
    'broken.ts': 'const one = 1;\nconst two: = 2;\n',
  });
  const error = await t.throwsAsync(() => loadRoutes(path('routes')));
  t.is(error.code, 'WAPIX_ROUTE_LOAD');
  t.regex(error.message, /routes\/get\.ts/);
  t.regex(error.cause.message, /broken\.ts:2/);
});

test('every file that cannot be loaded is reported, with its reason', async (t) => {
  const { path } = project(t, {
    'routes/a/get.ts': 'throw new Error("first reason");',
    'routes/b/get.ts': 'throw new Error("second reason");',
  });
  const error = await t.throwsAsync(() => loadRoutes(path('routes')));
  t.regex(error.message, /a\/get\.ts/);
  t.regex(error.message, /b\/get\.ts/);
  t.deepEqual(
    error.cause.errors.map(({ message }) => message),
    ['first reason', 'second reason'],
  );
});

const TYPESCRIPT_PROJECT = {
  'tsconfig.json': '{ /* a comment */ "compilerOptions": { "paths": { "@app/*": ["./src/*"] } }, }',
  'src/db.ts': `
    export const db: { loads: number } = { loads: 0 };
    db.loads += 1;
    export let connection: string | undefined;
    export function connect(): void { connection = 'open'; }`,
  'src/color.ts': `
    export enum Color { Red = 'red' }
    export const enum Size { Large = 3 }`,
  'src/one.ts': `
    import { two } from './two';
    export function one(): string { return 'one'; }
    export const both = () => one() + two();`,
  'src/two.ts': `
    import { one } from './one';
    export function two(): string { return 'two'; }
    export const both = () => two() + one();`,
  'src/data.json': '{ "text": "from JSON" }',
  'src/module.mts': 'import { db } from "./db"; export { db }; export const url = import.meta.url;',
  'src/common.cts': 'import path = require("node:path"); export = { separator: path.posix.sep };',
  'src/plain.cjs': 'module.exports = { name: "plain" };',
  'node_modules/only-esm/package.json': '{ "type": "module", "exports": "./index.js" }',
  'node_modules/only-esm/index.js': 'export const name = await "only-esm"; export default 7;',
  'node_modules/compiled/index.js': `
    Object.defineProperty(exports, '__esModule', { value: true });
    exports.default = function compiled() {};
    exports.named = 'named';`,
  'node_modules/computed/index.js': 'module.exports = Object.fromEntries([["name", "computed"]]);',
  'src/routes/other/get.ts': 'import { db } from "../../db"; export default () => db;',
  'src/routes/get.ts': `
    import { readFileSync } from 'node:fs';
    import { db, connect, connection } from '../db';
    import { db as aliased } from '@app/db';
    import { db as withExtension } from '../db.js';
    import { Color, Size } from '../color';
    import { both } from '../two';
    import data from '../data.json';
    import { db as fromModule, url } from '../module.mjs';
    import common from '../common.cjs';
    import plain from '../plain.cjs';
    import seven, { name } from 'only-esm';
    import compiled, { named } from 'compiled';
    import { name as computed } from 'computed';
    const before = connection;
    connect();
    const awaited = await Promise.resolve('awaited');
    class Point { constructor(readonly x: number) {} }
    export default () => ({
      loads: db.loads,
      sameDb: db === aliased && db === withExtension && db === fromModule,
      connection: [before, connection],
      color: Color.Red, size: Size.Large,
      both: both(),
      data: data.text,
      url, dirname: import.meta.dirname,
      common: common.separator, plain: plain.name,
      seven, name, compiled: typeof compiled, named, computed,
      readFileSync: typeof readFileSync,
      awaited, x: new Point(3).x,
    });`,
};

for (const type of ['module', 'commonjs', undefined]) {
  test(`TypeScript runs with no set-up where package.json says type: ${type}`, async (t) => {
    const { root, path } = project(t, {
      ...TYPESCRIPT_PROJECT,
      'package.json': JSON.stringify({ type }),
    });
    const { routes } = await loadRoutes(path('src/routes'));
    t.deepEqual(routes['/'].get(), {
      loads: 1,
      sameDb: true,
      connection: [undefined, 'open'],
      color: 'red',
      size: 3,
      both: 'twoone',
      data: 'from JSON',
      url: new URL(`file://${root}/src/module.mts`).href,
      dirname: path('src/routes'),
      common: '/',
      plain: 'plain',
      seven: 7,
      name: 'only-esm',
      compiled: 'function',
      named: 'named',
      computed: 'computed',
      readFileSync: 'function',
      awaited: 'awaited',
      x: 3,
    });
    t.is(routes['/other'].get().loads, 1, 'routes share what they import');
  });
}

test('a stack points at the line of the TypeScript file', async (t) => {
  const { path } = project(t, {
    'src/routes/get.ts': [
      'interface Erased {',
      '  a: string;',
      '}',
      'export default (_: Erased): void => {',
      '  throw new Error("here");',
      '};',
    ].join('\n'),
  });
  const { routes } = await loadRoutes(path('src/routes'));
  const { stack } = t.throws(() => routes['/'].get());
  t.true(stack.includes(`${path('src/routes/get.ts')}:5:`), stack);
});

test('a route gets the package that serves it, installed or not', async (t) => {
  const own = await import('wapix');
  const got = await answer(t, {
    'src/routes/get.ts': 'import { json } from "wapix"; export default () => json;',
  });
  t.is(got, own.json);
});

test('a tsconfig.json that extends what is not installed does not stop the routes', async (t) => {
  const got = await answer(t, {
    'tsconfig.json': '{ "extends": "@tsconfig/not-installed/tsconfig.json" }',
    'src/routes/get.ts': 'export default () => "served";',
  });
  t.is(got, 'served');
});

test('plain JavaScript is imported by Node itself', async (t) => {
  const { path } = project(t, {
    'package.json': '{ "type": "module" }',
    'src/db.js': 'export const db = {};',
    'src/routes/get.js': 'import { db } from "../db.js"; export default () => db;',
  });
  const { routes } = await loadRoutes(path('src/routes'));
  t.is(routes['/'].get(), (await import(path('src/db.js'))).db);
});

test('compiled modules may leave file extensions out', async (t) => {
  const got = await answer(t, {
    'package.json': '{ "type": "module" }',
    'src/db/index.js': 'export const db = { loads: 0 }; db.loads += 1;',
    'src/users.js': 'import { db } from "./db"; export const users = () => db.loads;',
    'src/routes/a/get.js': 'import { users } from "../../users.js"; export default users;',
    'src/routes/get.js': 'import { users } from "../users"; export default users;',
  });
  t.is(got, 1);
});

test('an import of a file that is not there is an error', async (t) => {
  const { path } = project(t, {
    'routes/get.mjs': 'import "./nowhere.js"; export default () => {};',
  });
  const error = await t.throwsAsync(() => loadRoutes(path('routes')));
  t.is(error.code, 'WAPIX_ROUTE_LOAD');
  t.regex(error.cause.message, /nowhere\.js/);
});

test('an empty routes directory has no routes', async (t) => {
  const { path } = project(t, {});
  mkdirSync(path('routes'));
  t.deepEqual((await loadRoutes(path('routes'))).routes, {});
});
