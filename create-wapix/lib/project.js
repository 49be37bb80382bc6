import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const TEMPLATE = fileURLToPath(new URL('../template', import.meta.url));
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

/** npm leaves files with these names out of packages, or reads them: they are packed under others. */
const RENAMED = {
  '_package.json': 'package.json',
  _gitignore: '.gitignore',
  _dockerignore: '.dockerignore',
};

/** Writes the project's files; `{{name}}` and its like in them are replaced. */
export function writeProject(directory, name, manager) {
  const { program, files = {} } = manager;
  const values = {
    ignored: '',
    ...manager,
    manager: program ? `RUN npm install --global ${program}@${manager.version}\n` : '',
    run: `${manager.name} run`,
    name,
    version,
  };
  for (const entry of readdirSync(TEMPLATE, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const source = join(entry.parentPath, entry.name);
    const folder = entry.parentPath.slice(TEMPLATE.length);
    const target = join(directory, folder, RENAMED[entry.name] ?? entry.name);
    mkdirSync(dirname(target), { recursive: true });
    const text = readFileSync(source, 'utf8');
    writeFileSync(
      target,
      text.replace(/\{\{(\w+)\}\}/g, (_, key) => values[key]),
    );
  }
  for (const [file, text] of Object.entries(files)) writeFileSync(join(directory, file), text);
}
