import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A folder that is there until the tests of a file have ended: in it `path`, a file of this `content`, and an
 * `empty` one.
 */
export function someFiles(test) {
  const folder = mkdtempSync(join(tmpdir(), 'wapix-files-'));
  test.after.always(() => rmSync(folder, { recursive: true }));
  // 3 MiB and a little, no two parts of it alike.
  const content = Buffer.from(
    Array.from({ length: 400_000 }, (_, line) => String(line).padStart(7)).join('\n'),
  );
  const [path, empty] = ['content', 'empty'].map((name) => join(folder, name));
  writeFileSync(path, content);
  writeFileSync(empty, '');
  return { folder, content, path, empty };
}
