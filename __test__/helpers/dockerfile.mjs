import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { promisify } from 'node:util';

const exec = promisify(execFile);

/**
 * Does what a Dockerfile says, one instruction after the other, without Docker: an empty directory
 * stands in for each image, and this machine's Node for theirs.
 *
 * @param context - the directory that `COPY` takes from
 * @returns what the image would run: `{ cwd, command, env }`
 */
export async function followDockerfile(t, context, env) {
  const stages = new Map();
  let stage;
  for (const line of instructions(readFileSync(join(context, 'Dockerfile'), 'utf8'))) {
    const [, instruction, rest] = /^(\w+)\s+(.*)$/.exec(line);
    if (instruction === 'FROM') {
      const root = mkdtempSync(join(tmpdir(), 'wapix-image-'));
      t.teardown(() => rmSync(root, { recursive: true, force: true }));
      const [, , name = stages.size] = /^(\S+)(?: AS (\S+))?$/.exec(rest);
      stage = { root, cwd: root, env: {}, command: undefined };
      stages.set(name, stage);
    } else if (instruction === 'WORKDIR') {
      stage.cwd = join(stage.root, rest);
      mkdirSync(stage.cwd, { recursive: true });
    } else if (instruction === 'ENV') {
      const [name, value] = rest.split('=');
      stage.env[name] = value;
    } else if (instruction === 'COPY') copy(stage, stages, context, rest);
    else if (instruction === 'RUN') {
      await exec('sh', ['-c', rest], { cwd: stage.cwd, env: { ...env, ...stage.env } });
    } else if (instruction === 'CMD') stage.command = JSON.parse(rest);
    else if (instruction !== 'USER' && instruction !== 'EXPOSE')
      throw new Error(`what is ${line}?`);
  }
  return stage;
}

function instructions(source) {
  return source.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

function copy(stage, stages, context, words) {
  const [, from, rest] = /^(?:--from=(\S+) )?(.*)$/.exec(words);
  const sources = rest.split(' ');
  const target = join(stage.cwd, sources.pop());
  const ignored = from === undefined ? ignoredIn(context) : [];
  const base = from === undefined ? context : stages.get(from).root;
  for (const name of sources) {
    const source = join(base, name);
    // Of a directory its content is copied, of a file the file.
    const to = statSync(source).isDirectory() ? target : join(target, basename(source));
    cpSync(source, to, {
      recursive: true,
      verbatimSymlinks: true,
      filter: (path) => !ignored.includes(relative(base, path)),
    });
  }
}

function ignoredIn(context) {
  const file = join(context, '.dockerignore');
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
}
