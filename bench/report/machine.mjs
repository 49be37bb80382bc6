// What the figures were taken with.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

const json = (path) => JSON.parse(readFileSync(join(root, path), 'utf8'));

/** wrk tells its version on whichever stream, and exits with 1. */
function versionOf(command, option, pattern) {
  const { stdout, stderr } = spawnSync(command, [option], { encoding: 'utf8' });
  return pattern.exec(`${stdout}${stderr}`)?.[1] ?? 'unknown';
}

export function facts() {
  const processors = cpus();
  const peers = Object.entries(json('bench/package.json').dependencies);
  return [
    ['date', new Date().toISOString().slice(0, 10)],
    ['processor', `${processors[0].model.trim()}, ${processors.length} cores`],
    ['memory', `${(totalmem() / 2 ** 30).toFixed(1)} GiB`],
    ['kernel', `Linux ${release()}`],
    ['wapix', json('package.json').version],
    ['Node.js', process.versions.node],
    ...peers.map(([name]) => [name, json(`bench/node_modules/${name}/package.json`).version]),
    ['wrk', versionOf('wrk', '-v', /wrk (?:debian\/)?(\S+)/)],
    ['h2load', versionOf('h2load', '--version', /nghttp2\/(\S+)/)],
  ];
}
