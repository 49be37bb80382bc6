import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = new URL('../../', import.meta.url);

/** Every page of the documentation, the README first, with its fenced blocks as `{ language, path, source }`. */
export function pages() {
  const docs = ['guide', 'reference'].flatMap((folder) =>
    readdirSync(new URL(`docs/${folder}`, ROOT)).map((file) => `docs/${folder}/${file}`),
  );
  return ['README.md', ...docs]
    .filter((file) => file.endsWith('.md'))
    .map((file) => {
      const markdown = readFileSync(fileURLToPath(new URL(file, ROOT)), 'utf8');
      return { name: file.replace(/\.md$/, ''), blocks: blocksOf(markdown) };
    });
}

function blocksOf(markdown) {
  const fenced = markdown.matchAll(/^( *)```(\w*)\n([\s\S]*?)^\1```$/gm);
  return Array.from(fenced, ([, indent, language, text]) => {
    const source = text.replaceAll(new RegExp(`^${indent}`, 'gm'), '');
    // `// src/routes/get.ts`, or `// src/routes/get.ts answers GET /`.
    const [, path] = /^\/\/ (\S+\/\S+\.\w+)\b.*\n/.exec(source) ?? [];
    return { language, path, source };
  });
}
