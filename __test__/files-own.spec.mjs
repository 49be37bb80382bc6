// Streams of files that the application has had its hands on: who reads them is not for Rust to choose.

import fs, { createReadStream } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { stream } from 'wapix';
import { request } from './helpers/client.mjs';
import { serveGet } from './helpers/server.mjs';

const path = fileURLToPath(import.meta.url);
const content = fs.readFileSync(path);
const size = content.length;

test('a listener that comes while the file is opened hears all of it', async (t) => {
  const heard = [];
  const server = await serveGet(t, () => {
    const file = createReadStream(path);
    process.nextTick(() => file.on('data', (chunk) => heard.push(chunk)));
    return stream(file);
  });
  t.true((await request(t, server, 'GET /')).body.equals(content));
  t.true(Buffer.concat(heard).equals(content));
});

for (const [what, make] of [
  [
    'of a descriptor goes on where that is',
    () => {
      const fd = fs.openSync(path);
      fs.readSync(fd, Buffer.alloc(10));
      return [createReadStream('', { fd }), content.subarray(10)];
    },
  ],
  [
    'whose method the application has replaced is read with it',
    () => {
      const file = createReadStream(path);
      const { push } = file;
      file.push = (chunk) => push.call(file, chunk && Buffer.from(chunk).fill('-'));
      return [file, Buffer.alloc(size, '-')];
    },
  ],
  [
    'of a file system of the application is read by that',
    () => {
      const read = (fd, bytes, ...rest) => {
        const callback = rest.pop();
        fs.read(fd, bytes, ...rest, (error, length) =>
          callback(error, length, bytes.fill('-', 0, length)),
        );
      };
      return [createReadStream(path, { fs: { ...fs, read } }), Buffer.alloc(size, '-')];
    },
  ],
]) {
  test(`a stream ${what}`, async (t) => {
    const [file, expected] = make();
    const server = await serveGet(t, () => stream(file));
    t.true((await request(t, server, 'GET /')).body.equals(expected));
  });
}
