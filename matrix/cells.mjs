/** What is tried: each cell is a name, and what is done with one placement of I/O. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { APP, askApp, EXAMPLES, PRINTED, PROGRAMS, RESOLUTIONS, SUITES } from './probes.mjs';
import { node, Project, ROOT, tool } from './project.mjs';

/** Node's lines, by their newest release, and what runs where only one does. */
const MAJORS = [20, 22, 24, 26];
const USUAL = 24;

const BIN = 'node_modules/wapix/bin/wapix.js';
const START = ['start', '--port', '0', '--host', '127.0.0.1'];
const NPM = ['npm', 'install', '--no-audit', '--no-fund'];
const YARN = [node(USUAL), tool('@yarnpkg/cli-dist/bin/yarn.js')];
const PNPM = [tool('.bin/pnpm')];

/** Every cell, for a registry that has wapix. */
export async function* cells({ registry, version, versions }) {
  const project = await install(NPM, {});
  for (const major of MAJORS) {
    const name = `Node ${versions[`node-${major}`]}`;
    yield* runtime(name, [node(major)]);
  }
  yield* packageManagers();
  yield* compilers();
  yield* examples();
  yield* runtime(`Bun ${versions.bun}`, [tool('.bin/bun')]);
  yield* runtime(`Deno ${versions.deno}`, [tool('.bin/deno'), 'run', '--quiet', '--allow-all']);
  yield* testRunners();

  /** A project in which a package manager has installed wapix. */
  async function install(command, files) {
    const made = new Project(USUAL, {
      ...PROGRAMS,
      ...APP,
      'package.json': JSON.stringify({
        name: 'consumer',
        private: true,
        dependencies: { wapix: version },
      }),
      '.npmrc': `registry=${registry}/\n`,
      ...files,
    });
    await made.run(command);
    return made;
  }

  function* runtime(name, words) {
    yield [`${name}, \`import\``, (env) => probe(project, [...words, 'probe.mjs'], env)];
    yield [`${name}, \`require\``, (env) => probe(project, [...words, 'probe.cjs'], env)];
    yield [
      `${name}, \`wapix start\` of TypeScript`,
      (env) => project.serving([...words, BIN, ...START], env, askApp),
    ];
  }

  function* packageManagers() {
    const yarn = (nodeLinker) => () =>
      install([...YARN, 'install', '--no-immutable'], {
        'yarn.lock': '',
        '.yarnrc.yml': [
          `nodeLinker: ${nodeLinker}`,
          `npmRegistryServer: ${registry}`,
          'unsafeHttpWhitelist: [127.0.0.1]',
          'enableGlobalCache: false',
          'npmMinimalAgeGate: 0',
          '',
        ].join('\n'),
      });
    const managers = {
      [`npm ${versions.npm}`]: [() => project, ['npx', '--no']],
      [`pnpm ${versions.pnpm}`]: [
        () => install([...PNPM, 'install'], { 'pnpm-workspace.yaml': 'minimumReleaseAge: 0\n' }),
        [...PNPM, 'exec'],
      ],
      [`yarn ${versions['@yarnpkg/cli-dist']}, node_modules`]: [
        yarn('node-modules'),
        [...YARN, 'exec'],
      ],
      [`yarn ${versions['@yarnpkg/cli-dist']}, PnP`]: [yarn('pnp'), [...YARN, 'exec']],
    };
    for (const [name, [make, exec]] of Object.entries(managers)) {
      let made;
      yield [
        name,
        async (env) => {
          made ??= make();
          const at = await made;
          await probe(at, [...exec, 'node', 'probe.mjs'], env);
          await probe(at, [...exec, 'node', 'probe.cjs'], env);
          await at.serving([...exec, 'wapix', ...START], env, askApp);
        },
      ];
    }
  }

  /** `tsc` builds what `wapix start` then serves from `lib/`. */
  function* compilers() {
    for (const [name, { type, options }] of Object.entries(RESOLUTIONS)) {
      const build = `build/${name.replace(/\W+/g, '-')}`;
      yield [
        `tsc ${versions.typescript}, ${name}`,
        async (env) => {
          project.write(
            Object.fromEntries(
              Object.entries(APP).map(([file, text]) => [`${build}/${file}`, text]),
            ),
          );
          await compile(build, type, options);
          await project.serving([project.node, ...startOf(build)], env, askApp);
        },
      ];
    }
  }

  function* examples() {
    for (const [name, ask] of Object.entries(EXAMPLES)) {
      const build = `build/examples/${name}`;
      yield [
        `tsc ${versions.typescript}, \`examples/${name}\``,
        async (env) => {
          cpSync(join(ROOT, 'examples', name), join(project.root, build), { recursive: true });
          await compile(build, 'module', RESOLUTIONS.bundler.options);
          await project.serving([project.node, ...startOf(build)], env, ask);
        },
      ];
    }
  }

  async function compile(build, type, options) {
    const compilerOptions = {
      ...{ target: 'es2023', lib: ['es2023'], types: ['node'], strict: true },
      ...{ rootDir: 'src', rootDirs: ['.', '.wapix/types'], outDir: 'lib', ...options },
    };
    project.write({
      [`${build}/package.json`]: JSON.stringify({ type }),
      [`${build}/tsconfig.json`]: JSON.stringify({ compilerOptions, include: ['src'] }),
    });
    // Beside this tsconfig.json: what the tree says of parameters.
    await project.run([project.node, BIN, 'types', '--routes', `${build}/src/routes`]);
    await project.run([project.node, tool('typescript/bin/tsc'), '-p', build]);
  }

  function startOf(build) {
    return [BIN, ...START, '--routes', `${build}/lib/routes`];
  }

  /** Several environments in one process, one after the other and at a time. */
  function* testRunners() {
    project.write(SUITES);
    const jest = [project.node, tool('jest/bin/jest.js'), '--rootDir', 'jest', '--runInBand'];
    const vitest = [project.node, tool('vitest/vitest.mjs'), 'run', '--root', 'vitest'];
    yield [
      `jest ${versions.jest}, all in one process`,
      (env) => project.run([...jest, '--testMatch', '**/*.test.cjs'], env),
    ];
    for (const pool of ['forks', 'threads', 'vmThreads']) {
      yield [
        `vitest ${versions.vitest}, \`--pool ${pool}\``,
        (env) => project.run([...vitest, '--pool', pool], env),
      ];
    }
  }
}

async function probe(at, words, env) {
  const printed = (await at.run(words, env)).trim();
  if (printed !== PRINTED) throw new Error(`${words.join(' ')} printed ${printed}`);
}
