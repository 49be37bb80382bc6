/** The package as it is published: packed, installed in an empty project, and used from there. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url));
const TSC = join(REPOSITORY, 'node_modules/typescript/bin/tsc');
const { version } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8'));

// npm hands its scripts its own settings, which are not for the npm of another project.
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)),
);
const exec = promisify(execFile);

let project;
const installed = (path) => join(project, 'node_modules', path);
const node = (...args) => exec(process.execPath, args, { cwd: project, env });

function emptyProject() {
  return realpathSync(mkdtempSync(join(tmpdir(), 'wapix-package-')));
}

function write(root, files) {
  for (const [file, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), content);
  }
}

function filesIn(directory) {
  return readdirSync(directory, { recursive: true }).filter((name) =>
    statSync(join(directory, name)).isFile(),
  );
}

test.before('pack and install', async (t) => {
  t.timeout(120_000);
  await exec(process.execPath, ['scripts/pack.mjs'], { cwd: REPOSITORY, env });
  const artifacts = join(REPOSITORY, 'artifacts');
  const tarballs = readdirSync(artifacts).filter((name) => name.startsWith('wapix-'));
  t.is(tarballs.length, 2);

  project = emptyProject();
  write(project, { 'package.json': '{ "name": "consumer", "private": true }' });
  await exec(
    'npm',
    ['install', '--prefer-offline', ...tarballs.map((name) => join(artifacts, name))],
    { cwd: project, env, shell: process.platform === 'win32' },
  );
});

test.after.always(() => {
  if (project) rmSync(project, { recursive: true, force: true });
});

test('it ships what it needs, and no sources', (t) => {
  const shipped = filesIn(installed('wapix'));
  t.deepEqual(shipped.filter((file) => !/^(bin|dist)[\\/].*\.js$/.test(file)).sort(), [
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'THIRD-PARTY.md',
    'index.d.ts',
    'package.json',
  ]);

  const [binding, ...more] = readdirSync(installed('@wapix'));
  t.deepEqual(more, []);
  t.deepEqual(filesIn(installed(`@wapix/${binding}`)).sort(), [
    'LICENSE',
    'README.md',
    'THIRD-PARTY.md',
    'package.json',
    `wapix.${binding.replace('binding-', '')}.node`,
  ]);
});

test('the binaries for Linux name the libc that they are for', (t) => {
  for (const name of readdirSync(join(REPOSITORY, 'npm'))) {
    const manifest = readFileSync(join(REPOSITORY, 'npm', name, 'package.json'), 'utf8');
    const libc = { gnu: ['glibc'], musl: ['musl'] }[name.split('-')[2]];
    t.deepEqual(JSON.parse(manifest).libc, libc, name);
  }
});

test('nothing runs when it is installed', (t) => {
  const lockfile = readFileSync(join(project, 'package-lock.json'), 'utf8');
  t.false(lockfile.includes('hasInstallScript'));
});

test('what others wrote is named, with its licence', (t) => {
  const beside = readFileSync(installed('wapix/THIRD-PARTY.md'), 'utf8');
  const { dependencies } = JSON.parse(readFileSync(installed('wapix/package.json'), 'utf8'));
  for (const name of Object.keys(dependencies)) {
    t.regex(beside, new RegExp(`^\\| ${name} \\| [\\d.]+ \\| MIT \\|$`, 'm'));
  }
  const [binding] = readdirSync(installed('@wapix'));
  const inside = readFileSync(installed(`@wapix/${binding}/THIRD-PARTY.md`), 'utf8');
  for (const crate of ['hyper', 'ring', 'tokio']) {
    t.regex(inside, new RegExp(`^\\| ${crate} \\| [\\d.]+ \\| \\w`, 'm'));
    t.regex(inside, new RegExp(`^## .*\\b${crate}\\b.*\n\n\`+text\n`, 'm'));
  }
});

test('what it depends on is all there', async (t) => {
  const { dependencies } = JSON.parse(readFileSync(installed('wapix/package.json'), 'utf8'));
  for (const name of Object.keys(dependencies)) t.notThrows(() => statSync(installed(name)));
});

test('import and require give one instance', async (t) => {
  write(project, {
    'both.mjs': `
      import { createRequire } from 'node:module';
      import * as imported from 'wapix';
      import { createServer, json } from 'wapix';
      const required = createRequire(import.meta.url)('wapix');
      const server = createServer({ '/': { get: () => json({ same: required.json === json }) } });
      if (imported.createServer !== required.createServer) throw new Error('two instances');
      server.listen(0, '127.0.0.1', async () => {
        const response = await fetch('http://127.0.0.1:' + server.address().port);
        process.stdout.write(await response.text());
        server.close();
      });
    `,
  });
  const { stdout } = await node('both.mjs');
  t.is(stdout, '{"same":true}');
});

test('wapix --version', async (t) => {
  const { stdout } = await node(installed('wapix/bin/wapix.js'), '--version');
  t.is(stdout.trim(), version);
  t.true(readdirSync(installed('.bin')).includes('wapix'));
});

test('wapix start serves TypeScript routes, until a signal', async (t) => {
  write(project, {
    'src/greeting.ts': `export const greeting: string = 'hello';`,
    'src/routes/greet/$name/get.ts': `
      import { json, type Ok, type RequestHandler } from 'wapix';
      import { greeting } from '../../../greeting';
      const get: RequestHandler<{ name: string }, Ok<string>> = ({ params }) =>
        json(\`\${greeting} \${params.name}\`);
      export default get;
    `,
  });
  const child = spawn(
    process.execPath,
    [installed('wapix/bin/wapix.js'), 'start', '--port', '0', '--host', '127.0.0.1'],
    { cwd: project, env, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  t.teardown(() => child.kill('SIGKILL'));
  const exit = once(child, 'exit');
  let url;
  for await (const line of createInterface(child.stdout)) {
    [url] = /http:\S+/.exec(line) ?? [];
    if (url) break;
  }
  const response = await fetch(`${url}/greet/you`);
  t.is(await response.json(), 'hello you');

  child.kill('SIGTERM');
  t.deepEqual(await exit, [0, null]);
});

const CONSUMER = `
  import { Readable } from 'node:stream';
  import { createServer, json, notFound, stream } from 'wapix';
  import type { NotFound, Ok, RequestHandler } from 'wapix';

  interface User { id: string }
  const get: RequestHandler<{ id: string }, Ok<User> | NotFound<{ error: string }>> = async (req) =>
    req.params.id === '1' ? json({ id: req.params.id }) : notFound({ error: 'no such user' });
  // @ts-expect-error a result that the handler's type does not name
  export const wrong: RequestHandler<{ id: string }, Ok<User>> = () => notFound({ error: 'none' });

  createServer({ '/users/:id': { get }, '/': { get: () => stream(Readable.from(['hello'])) } })
    .listen(0, () => {});
`;

const RESOLUTIONS = {
  node16: { module: 'node16', files: ['consumer.mts', 'consumer.cts'] },
  nodenext: { module: 'nodenext', files: ['consumer.mts', 'consumer.cts'] },
  bundler: { module: 'esnext', moduleResolution: 'bundler', files: ['consumer.ts'] },
  commonjs: {
    module: 'commonjs',
    moduleResolution: 'node10',
    ignoreDeprecations: '6.0',
    files: ['consumer.ts'],
  },
};

for (const [name, { files, ...options }] of Object.entries(RESOLUTIONS)) {
  test(`types resolve: ${name}`, async (t) => {
    const root = join(project, 'types', name);
    const compilerOptions = {
      ...options,
      target: 'es2022',
      lib: ['es2022'],
      strict: true,
      noEmit: true,
      skipLibCheck: false,
    };
    write(root, {
      'tsconfig.json': JSON.stringify({ compilerOptions, files }),
      ...Object.fromEntries(files.map((file) => [file, CONSUMER])),
    });
    // tsc says what is wrong on stdout.
    const { stdout } = await node(TSC, '-p', root).catch((error) => error);
    t.is(stdout, '');
  });
}

/** What loading the package says where `damage` has been done to the binary's own package. */
async function loadWith(t, damage, nodeOptions = []) {
  const root = emptyProject();
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  cpSync(installed('.'), join(root, 'node_modules'), { recursive: true, verbatimSymlinks: true });
  const [binding] = readdirSync(join(root, 'node_modules/@wapix'));
  const directory = join(root, 'node_modules/@wapix', binding);
  const addon = `wapix.${binding.replace('binding-', '')}.node`;
  damage(directory, join(directory, addon));
  const { stderr } = await exec(
    process.execPath,
    [...nodeOptions, '-e', "require('wapix').createServer({})"],
    { cwd: root, env },
  ).catch((error) => error);
  return { stderr, name: `@wapix/${binding}`, addon };
}

test('a missing binary is named, with what the loader says', async (t) => {
  const { stderr, name, addon } = await loadWith(t, (directory) => {
    rmSync(directory, { recursive: true });
  });
  const platform = `${process.platform}-${process.arch}`;
  for (const part of ['WAPIX_BINDING_NOT_LOADED', platform, name, addon, 'Cannot find module']) {
    t.true(stderr.includes(part), `${part} in ${stderr}`);
  }
});

test('a binary that cannot be loaded is named, with what the loader says', async (t) => {
  const { stderr, addon } = await loadWith(t, (_, file) => writeFileSync(file, 'no library'));
  t.regex(stderr, new RegExp(`${addon}: (?!Cannot find)`));
});

test('a binary of another version is not used, and both versions are named', async (t) => {
  const { stderr, name } = await loadWith(t, (directory) => {
    const file = join(directory, 'package.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace(version, '0.0.1'));
  });
  t.true(stderr.includes(`${name}/package.json is of 0.0.1, and wapix is ${version}`), stderr);
});

test('a platform without a binary is told so', async (t) => {
  const { stderr } = await loadWith(t, () => {}, [
    ...['--import', script("Object.defineProperty(process, 'arch', { value: 'mips' });")],
  ]);
  t.regex(stderr, /there is none for \w+-mips/);
  t.regex(stderr, /^Run it with a Node\.js for one of these\./m);
  // Node shows the line of the source that threw, which has both.
  t.notRegex(stderr, /^Install wapix again/m);
});

const onLinux = process.platform === 'linux' ? test : test.skip;

onLinux('an `ldd` that speaks of musl does not make it look for another binary', async (t) => {
  const { stderr } = await loadWith(t, () => {}, [
    ...['--import', script(pretend("if (name === '/usr/bin/ldd') return 'musl libc';"))],
  ]);
  t.is(stderr, '');
});

for (const [how, program, more] of [
  ['by the loader that its program names', '\x7fELF … /lib/ld-musl-x86_64.so.1', ''],
  [
    "by Node's report, where it names none",
    '',
    'process.report.getReport = () => ({ header: {} });',
  ],
]) {
  onLinux(`on musl it looks for the binary of musl, and says so: ${how}`, async (t) => {
    const file = join(emptyProject(), 'node');
    t.teardown(() => rmSync(dirname(file), { recursive: true }));
    writeFileSync(file, program);
    const { stderr } = await loadWith(t, () => {}, [
      ...['--import', script(`process.execPath = ${JSON.stringify(file)}; ${more}`)],
    ]);
    t.true(stderr.includes(`linux-${process.arch} (musl)`), stderr);
    t.true(stderr.includes(`'@wapix/binding-linux-${process.arch}-musl`), stderr);
  });
}

/** A module that Node runs first. */
function script(source) {
  return `data:text/javascript,${encodeURIComponent(source)}`;
}

/** Has reading a file go through `first`. */
function pretend(first) {
  return `
    import fs from 'node:fs';
    import { syncBuiltinESMExports } from 'node:module';
    const { readFileSync } = fs;
    fs.readFileSync = (name, ...rest) => { ${first} return readFileSync(name, ...rest); };
    syncBuiltinESMExports();
  `;
}
