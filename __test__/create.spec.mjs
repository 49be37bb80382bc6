// `npm create wapix`, from the packages that a release publishes to a project that answers.

import { execFile, execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { executablePath, launch } from './helpers/browser.mjs';
import { within } from './helpers/deadline.mjs';
import { followDockerfile } from './helpers/dockerfile.mjs';
import { pages } from './helpers/pages.mjs';
import { start } from './helpers/program.mjs';
import { registryOf } from './helpers/registry.mjs';

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url));
const CREATE = join(REPOSITORY, 'create-wapix/bin/create-wapix.js');
const MINUTES = 60_000;

// npm hands its scripts its own settings, which are not for the npm of another project.
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_|^PORT$/i.test(name)),
);
const exec = promisify(execFile);
const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'wapix-create-')));

let registry;
test.after.always(() => {
  registry?.close();
  rmSync(scratch, { recursive: true, force: true });
});

function emptyDirectory(t) {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'wapix-new-')));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Runs a command in `cwd` to its end, as npm's own where it is one of npm. */
async function run(t, cwd, command, args, extra = {}) {
  const program = start(t, command, args, { cwd, env: { ...env, ...extra } });
  const { code } = await within(program.exited, `${command} ${args.join(' ')}`, 3 * MINUTES);
  return { code, stdout: program.stdout, stderr: program.stderr };
}

const create = (t, cwd, args, extra) => run(t, cwd, process.execPath, [CREATE, ...args], extra);

// Process groups are of POSIX systems.
const posix = process.platform === 'win32' ? test.skip : test;

posix('from nothing to an answer, with two commands', async (t) => {
  t.timeout(8 * MINUTES);
  const packages = join(scratch, 'packages');
  await exec(process.execPath, ['scripts/pack.mjs', packages], { cwd: REPOSITORY, env });
  const { stdout: upstream } = await exec('npm', ['config', 'get', 'registry'], { env });
  registry = await registryOf(packages, upstream.trim());
  // A cache of its own: npm keeps what `npm create` has run, by name and version.
  const settings = {
    npm_config_registry: registry.origin,
    npm_config_cache: join(scratch, 'cache'),
  };

  const root = emptyDirectory(t);
  const created = await run(t, root, 'npm', ['create', 'wapix', '--yes'], settings);
  t.is(created.code, 0, created.stderr);
  t.regex(created.stdout, /Now: {2}cd wapix-app && npm run dev\n$/);

  const app = join(root, 'wapix-app');
  t.true(existsSync(join(app, '.wapix/types/src/routes/hello/$name/$types.d.ts')));
  const dev = npm(t, app, 'run', 'dev', '--', '--port', '0');
  if (executablePath) await ticks(t, dev);
  await answers(t, dev);

  // Builds, too.
  const tested = await run(t, app, 'npm', ['test']);
  t.is(tested.code, 0, tested.stdout + tested.stderr);
  t.regex(tested.stdout, /pass 3\n/);

  const server = npm(t, app, 'start');
  await answers(t, server);
  t.true(server.stdout.includes('lib/routes/hello/$name/get.js'), server.stdout);

  // There is no Docker here: its instructions are followed without.
  const image = await followDockerfile(t, app, { ...env, ...settings });
  const [command, ...args] = image.command;
  const where = { cwd: image.cwd, env: { ...env, ...image.env, PORT: '0' } };
  const container = start(t, command, args, where);
  container.interrupt = () => container.child.kill('SIGTERM');
  await answers(t, container);
  t.is(container.child.exitCode, 0);
  t.false(existsSync(join(image.cwd, 'node_modules/typescript')));
});

test('the Dockerfile is the one that the page on deployment prints', (t) => {
  const { blocks } = pages().find(({ name }) => name === 'docs/guide/deployment');
  const { source } = blocks.find(({ language }) => language === 'dockerfile');
  const root = emptyDirectory(t);
  execFileSync(process.execPath, [CREATE, root], { env: { ...env, ...standIn(t, 'npm') } });
  const written = readFileSync(join(root, 'Dockerfile'), 'utf8');
  t.is(written.replace(/^#.*\n/gm, '').trimEnd(), source.trimEnd());
});

/** npm, and all that it starts: a signal to npm alone leaves the server behind. */
function npm(t, cwd, ...args) {
  const options = { cwd, env: { ...env, PORT: '0' }, detached: true };
  const program = start(t, 'npm', args, options);
  const { pid } = program.child;
  program.interrupt = () => process.kill(-pid, 'SIGINT');
  t.teardown(() => {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {} // All have ended.
  });
  return program;
}

/** In a browser the page shows the time that its event stream tells. */
async function ticks(t, program) {
  const [, origin] = await program.printed(/^ {2}(http:\S+)$/m);
  const browser = await launch();
  t.teardown(() => browser.close());
  const page = await browser.newPage();
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => complaints.push(message.text()));
  await page.goto(origin);
  await page.locator('output', { hasText: /\d:\d\d/ }).waitFor();
  t.deepEqual(complaints, []);
  await browser.close();
}

async function answers(t, program) {
  const [, origin] = await program.printed(/^ {2}(http:\S+)$/m);
  t.true((await (await fetch(origin)).text()).includes('<h1>wapix-app</h1>'));
  t.deepEqual(await (await fetch(`${origin}/hello/you`)).json(), { hello: 'you' });
  program.interrupt();
  await program.exit();
}

test('a directory with something in it is left alone', async (t) => {
  const root = emptyDirectory(t);
  mkdirSync(join(root, 'app'));
  for (const name of ['a', 'b', 'c', 'd']) writeFileSync(join(root, 'app', name), 'mine');
  const { code, stderr } = await create(t, root, ['app']);
  t.is(code, 1);
  const [first, second] = stderr.split('\n');
  t.is(first, 'error WAPIX_NOT_EMPTY');
  t.true(second.endsWith(`${join(root, 'app')} is not empty: a, b, c, …`), second);
  t.deepEqual(readdirSync(join(root, 'app')), ['a', 'b', 'c', 'd']);

  const file = await create(t, root, ['app/a']);
  t.regex(file.stderr, /^error WAPIX_NOT_EMPTY\n.* is a file\./);
});

test('options and names that it cannot follow are refused', async (t) => {
  const root = emptyDirectory(t);
  for (const [args, code, message] of [
    [['--force'], 2, /^error WAPIX_INVALID_OPTION\n.*--force/],
    [['a', 'b'], 2, /^error WAPIX_INVALID_OPTION\n.*a b/],
    [['---'], 2, /^error WAPIX_INVALID_OPTION\n/],
    [['+++'], 1, /^error WAPIX_INVALID_NAME\n/],
    // Nobody is there to answer.
    [[], 1, /^error WAPIX_NO_NAME\n/],
  ]) {
    const result = await create(t, root, args);
    t.is(result.code, code, args.join(' '));
    t.regex(result.stderr, message);
  }
  t.deepEqual(readdirSync(root), []);
  const { stdout } = await create(t, root, ['--help']);
  t.regex(stdout, /^Usage: npm create wapix/);
});

/** A package manager that only says how it was called. */
function standIn(t, name, exitCode = 0) {
  const directory = emptyDirectory(t);
  const path = join(directory, name);
  writeFileSync(path, `#!/bin/sh\necho "called: ${name} $*"\nexit ${exitCode}\n`);
  chmodSync(path, 0o755);
  return { PATH: `${directory}${delimiter}${env.PATH}` };
}

for (const [agent, locked, program] of [
  ['npm/9.8.7', 'package-lock.json', undefined],
  ['pnpm/9.8.7', 'pnpm-lock.yaml', 'pnpm@9.8.7'],
  ['yarn/1.22.22', 'yarn.lock', 'yarn@1.22.22'],
  ['yarn/4.18.1', 'yarn.lock .yarnrc.yml', '@yarnpkg/cli-dist@4.18.1'],
  ['bun/9.8.7', 'bun.lock', 'bun@9.8.7'],
]) {
  posix(`${agent} installs where it runs it`, async (t) => {
    const [name] = agent.split('/');
    const root = emptyDirectory(t);
    const said = { npm_config_user_agent: `${agent} npm/? node/v24.0.0 linux x64` };
    const { code, stdout } = await create(t, root, ['.'], { ...said, ...standIn(t, name) });
    t.is(code, 0);
    t.true(stdout.includes(`called: ${name} install`), stdout);
    t.regex(stdout, new RegExp(`Now: {2}${name} run dev\n$`));
    const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8');
    t.true(dockerfile.includes(`COPY package.json ${locked} ./`), dockerfile);
    const [, installed] = /npm install --global (\S+)/.exec(dockerfile) ?? [];
    t.is(installed, program);
    const files = readdirSync(root, { recursive: true });
    for (const file of ['.gitignore', '.dockerignore', 'tsconfig.json', 'src/routes/get.ts']) {
      t.true(files.includes(file), file);
    }
    t.is(files.includes('.yarnrc.yml'), locked.includes('.yarnrc.yml'));
    for (const file of files) t.false(/\{\{|^_/.test(file), file);
    t.notRegex(readFileSync(join(root, '.gitignore'), 'utf8'), /\{\{|undefined/);
  });
}

posix('it asks for the name', async (t) => {
  const root = emptyDirectory(t);
  const program = start(t, process.execPath, [CREATE], {
    cwd: root,
    env: { ...env, ...standIn(t, 'npm') },
    stdio: 'pipe',
  });
  await program.printed(/Name of the project \(wapix-app\): /);
  program.child.stdin.write('My App\n');
  t.is((await program.exit()).code, 0);
  const { name } = JSON.parse(readFileSync(join(root, 'My App/package.json'), 'utf8'));
  t.is(name, 'my-app');
});

posix('where the installation fails, the project is there and it says so', async (t) => {
  const root = emptyDirectory(t);
  const { code, stderr } = await create(t, root, ['app'], standIn(t, 'npm', 7));
  t.is(code, 1);
  t.regex(stderr, /^error WAPIX_INSTALL_FAILED\n/);
  t.true(existsSync(join(root, 'app/package.json')));
});
