/** `npm version 1.2.3` runs it between the change of package.json and the commit: the rest follows. */
import { readFileSync, writeFileSync } from 'node:fs';
import { run } from './run.mjs';

const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const today = new Date().toISOString().slice(0, 10);

for (const file of ['Cargo.toml', 'Cargo.lock', 'fuzz/Cargo.lock']) {
  replace(file, /(?<=^name = "wapix"\nversion = ").*(?="$)/m, version);
}
replace('create-wapix/package.json', /(?<=^ {2}"version": ").*(?=",$)/m, version);
replace('CHANGELOG.md', /(?<=^## \[Unreleased\]\n)/m, `\n## [${version}] – ${today}\n`);
// It writes npm/ from package.json.
run('napi', 'create-npm-dirs');
run('git', 'add', 'Cargo.toml', 'Cargo.lock', 'fuzz', 'create-wapix', 'CHANGELOG.md', 'npm');

function replace(file, pattern, by) {
  const text = readFileSync(file, 'utf8');
  if (!pattern.test(text)) throw new Error(`${file} has no ${pattern}`);
  writeFileSync(file, text.replace(pattern, by));
}
