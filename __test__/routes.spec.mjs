import { mkdirSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import ava from 'ava';
import { project } from './fixtures/project.mjs';

// One process loads one project, so they are loaded one at a time here as well.
const test = ava.serial;
const require = createRequire(import.meta.url);
const { loadRoutes } = require('../dist/routes/load.js');
const { scanRoutes } = require('../dist/routes/scan.js');

const HANDLER = 'export default () => {};\n';

/** What an error says, its paths with `/` on every system. */
const said = ({ message }) => message.replaceAll(sep, '/');

/** The problem that `files` under a routes directory are. */
function problemWith(t, files) {
  const { path } = project(t, { 'routes/get.ts': HANDLER, ...files });
  return t.throws(() => scanRoutes(path('routes')));
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
    'routes/[a] name%/readme.md': '',
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

test('a link that leads nowhere is an error', (t) => {
  const { path } = project(t, { 'routes/get.ts': '' });
  symlinkSync(path('nowhere.ts'), path('routes/post.ts'));
  const error = t.throws(() => scanRoutes(path('routes')));
  t.is(error.code, 'WAPIX_INVALID_ROUTE');
  t.regex(error.message, /post\.ts is a link to a file that does not exist/);
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
  { what: 'a parameter with another sign in its name', files: ['$id!/get.ts'], names: ['$id!'] },
  { what: 'one parameter name twice in a path', files: ['$id/$id/get.ts'], names: ['$id/$id'] },
  { what: 'a directory [id]', files: ['[id]/get.ts'], names: ['[id]', '$id'] },
  { what: 'a directory that no segment can be', files: ['a%2Fb/get.ts'], names: ['a%2Fb'] },
  { what: 'a method file in upper case', files: ['a/GET.ts'], names: ['a/GET.ts', 'get.ts'] },
  { what: 'a method file with JSX', files: ['a/get.tsx'], names: ['a/get.tsx'] },
];

// Windows has no such names.
if (sep === '/') {
  PROBLEMS.push(
    { what: 'a directory :id', files: [':id/get.ts'], names: [':id', '$id'] },
    { what: 'a directory *rest', files: ['*rest/get.ts'], names: ['*rest'] },
  );
}

for (const { what, files, code = 'WAPIX_INVALID_ROUTE', names = files } of PROBLEMS) {
  test(`${what}: an error that names the file`, (t) => {
    const error = problemWith(t, Object.fromEntries(files.map((file) => [`routes/${file}`, ''])));
    t.is(error.code, code);
    for (const name of names) t.true(said(error).includes(name), error.message);
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
  t.regex(said(error), /a\/get\.ts/);
  t.regex(said(error), /b\/get\.ts/);
  t.notRegex(said(error), /c\/get\.ts/);
});

test('a syntax error names the file and the line', async (t) => {
  const { path } = project(t, {
    'routes/get.ts': 'import "../broken";\nexport default () => {};',
    'broken.ts': 'const one = 1;\nconst two: = 2;\n',
  });
  const error = await t.throwsAsync(() => loadRoutes(path('routes')));
  t.is(error.code, 'WAPIX_ROUTE_LOAD');
  t.regex(said(error), /routes\/get\.ts/);
  t.regex(error.cause.message, /broken\.ts:2/);
});

test('every file that cannot be loaded is reported, with its reason', async (t) => {
  const { path } = project(t, {
    'routes/a/get.ts': 'throw new Error("first reason");',
    'routes/b/get.ts': 'throw new Error("second reason");',
  });
  const error = await t.throwsAsync(() => loadRoutes(path('routes')));
  t.regex(said(error), /a\/get\.ts/);
  t.regex(said(error), /b\/get\.ts/);
  t.deepEqual(
    error.cause.errors.map(({ message }) => message),
    ['first reason', 'second reason'],
  );
});

test('what several routes fail with is said once', async (t) => {
  const { path } = project(t, {
    'broken.mjs': 'throw new Error("the reason");',
    'routes/a/get.mjs': 'import "../../broken.mjs"; export default () => {};',
    'routes/b/get.mjs': 'import "../../broken.mjs"; export default () => {};',
  });
  const error = await t.throwsAsync(() => loadRoutes(path('routes')));
  t.regex(error.message, /a\/get\.mjs[\s\S]*b\/get\.mjs/);
  t.is(error.cause.message, 'the reason');
});

test('plain JavaScript is imported by Node itself', async (t) => {
  const { path } = project(t, {
    'package.json': '{ "type": "module" }',
    'src/db.js': 'export const db = {};',
    'src/routes/get.js': 'import { db } from "../db.js"; export default () => db;',
  });
  const { routes } = await loadRoutes(path('src/routes'));
  t.is(routes['/'].get(), (await import(pathToFileURL(path('src/db.js')).href)).db);
});

test('compiled modules may leave file extensions out', async (t) => {
  const { path } = project(t, {
    'package.json': '{ "type": "module" }',
    'src/db/index.js': 'export const db = { loads: 0 }; db.loads += 1;',
    'src/users.js': 'import { db } from "./db"; export const users = () => db.loads;',
    'src/routes/a/get.js': 'import { users } from "../../users.js"; export default users;',
    'src/routes/get.js': 'import { users } from "../users"; export default users;',
  });
  const { routes } = await loadRoutes(path('src/routes'));
  t.is(routes['/'].get(), 1);
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
