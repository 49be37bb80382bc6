/** What a release has in it, or brings, that others wrote, and under which licences: by the lockfiles. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { output } from './run.mjs';

const TITLE = '# Third-party software';

/** What is compiled into the binary of a target, with the text of each licence. */
export function inBinary(triple) {
  const crates = linkedCrates(triple);
  return `${TITLE}

Compiled into this binary, with the standard library of Rust (MIT OR Apache-2.0):

${table(crates)}

${texts(crates)}`;
}

/** What npm installs beside the package; each is a package of its own, with its licence in it. */
export function besidePackage() {
  const root = JSON.parse(readFileSync('package.json', 'utf8'));
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  const found = new Map();
  const wanted = Object.keys(root.dependencies);
  for (const name of wanted) {
    const { version, license, dependencies = {} } = packages[`node_modules/${name}`];
    found.set(name, { name, version, license });
    wanted.push(...Object.keys(dependencies).filter((next) => !found.has(next)));
  }
  return `${TITLE}

\`npm install wapix\` installs these besides, in these versions or later ones that fit, each with its
licence in it. What is in the binaries stands beside them, in \`@wapix/binding-*\`.

${table([...found.values()].sort(byName))}
`;
}

/** Every crate whose code is linked: no build script's, no macro's. */
function linkedCrates(triple) {
  const { packages, resolve } = JSON.parse(
    output('cargo', 'metadata', '--locked', '--format-version=1', '--filter-platform', triple),
  );
  const byId = new Map(packages.map((one) => [one.id, one]));
  const nodes = new Map(resolve.nodes.map((node) => [node.id, node]));
  const reached = new Set([resolve.root]);
  for (const id of reached) {
    for (const { pkg, dep_kinds: kinds } of nodes.get(id).deps) {
      const isMacro = byId.get(pkg).targets.some(({ kind }) => kind.includes('proc-macro'));
      if (!isMacro && kinds.some(({ kind }) => kind === null)) reached.add(pkg);
    }
  }
  reached.delete(resolve.root);
  return [...reached]
    .map((id) => byId.get(id))
    .map(({ name, version, license, manifest_path: path }) => ({
      name,
      version,
      license: license.replaceAll('/', ' OR ').replace(/\s+/g, ' '),
      directory: dirname(path),
    }))
    .sort(byName);
}

function table(rows) {
  const lines = rows.map(({ name, version, license }) => `| ${name} | ${version} | ${license} |`);
  return ['| | version | licence |', '| --- | --- | --- |', ...lines].join('\n');
}

/** Each text once, under the names of all that have it. */
function texts(crates) {
  const users = new Map();
  for (const { name, directory } of crates) {
    for (const text of licenceTexts(directory)) {
      users.set(text, [...(users.get(text) ?? []), name]);
    }
  }
  return [...users]
    .map(([text, names]) => `## ${names.join(', ')}\n\n\`\`\`\`text\n${text}\n\`\`\`\`\n`)
    .join('\n');
}

function licenceTexts(directory) {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isFile() && /^(licen[cs]e|copying|notice|unlicense)/i.test(entry.name))
    .map(({ name }) => readFileSync(join(directory, name), 'utf8'))
    .map((text) => text.replaceAll('\r\n', '\n').trim())
    .sort();
}

function byName(a, b) {
  return a.name < b.name ? -1 : 1;
}
