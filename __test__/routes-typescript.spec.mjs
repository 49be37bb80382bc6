import { createRequire } from 'node:module';
import ava from 'ava';
import { project } from './fixtures/project.mjs';

// One process loads one project, so they are loaded one at a time here as well.
const test = ava.serial;
const require = createRequire(import.meta.url);
const { loadRoutes } = require('../dist/routes/load.js');

/** What the handler of `GET /` answers, in a project of `files`. */
async function answer(t, files) {
  const { path } = project(t, files);
  const { routes } = await loadRoutes(path('src/routes'));
  return routes['/'].get();
}

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

test('a module that is still loading is waited for', async (t) => {
  const { path } = project(t, {
    'src/slow.ts':
      'export const value = await new Promise((done) => setTimeout(done, 20, "loaded"));',
    'src/a.ts': 'import { value } from "./slow"; export const a = value;',
    'src/b.ts': 'import { value } from "./slow"; export const b = value;',
    'src/lazy.ts': 'import "node:fs"; export const lazy = "lazy";',
    'src/routes/get.ts': `
      const [{ a }, { b }] = await Promise.all([import('../a'), import('../b')]);
      export default async () => [a, b, (await import('../lazy')).lazy];`,
  });
  const { routes } = await loadRoutes(path('src/routes'));
  const handler = routes['/'].get;
  t.deepEqual(await Promise.all([handler(), handler()]), [
    ['loaded', 'loaded', 'lazy'],
    ['loaded', 'loaded', 'lazy'],
  ]);
});

test('modules that import each other load, whatever their directory is called', async (t) => {
  const got = await answer(t, {
    'src/a $b#%c/one.ts': 'import { two } from "./two"; export const one = () => two() + 1;',
    'src/a $b#%c/two.ts': `
      import { three } from './three';
      await null;
      export const two = () => three.length + 1;`,
    'src/a $b#%c/three.ts': 'import { one } from "./one"; export const three = [() => one];',
    'src/routes/get.ts': 'import { one } from "../a $b#%c/one"; export default one;',
  });
  t.is(got, 3);
});

test('a module may import back who has imported others before it', async (t) => {
  const got = await answer(t, {
    'src/one.ts': `
      import { two } from './two';
      import { three } from './three';
      export const one = () => two() + three();
      export const base = 1;`,
    'src/two.ts': 'export const two = () => 2;',
    'src/three.ts': 'import { base } from "./one"; export const three = () => 2 + base;',
    'src/routes/get.ts': 'import { one } from "../one"; export default one;',
    'src/routes/other/get.ts': 'import { three } from "../../three"; export default three;',
  });
  t.is(got, 5);
});

test('a module that has failed to load fails again', async (t) => {
  const { path } = project(t, {
    'src/broken.ts': 'export const value = 1; throw new Error("broken");',
    'src/routes/get.ts': 'export default async () => (await import("../broken")).value;',
  });
  const { routes } = await loadRoutes(path('src/routes'));
  await t.throwsAsync(async () => routes['/'].get(), { message: 'broken' });
  await t.throwsAsync(async () => routes['/'].get(), { message: 'broken' });
});

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
