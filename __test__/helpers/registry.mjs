import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { once } from './events.mjs';

/** A registry that has the packages whose tarballs are in `directory`, and sends for others to `upstream`. */
export async function registryOf(directory, upstream) {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url.slice(1));
    const packed = packages.get(path);
    if (packed) response.end(JSON.stringify(packument(packed, origin)));
    else if (path.endsWith('.tgz') && readdirSync(directory).includes(path)) {
      response.end(readFileSync(join(directory, path)));
    } else response.writeHead(307, { location: new URL(request.url, upstream).href }).end();
  });
  const packages = new Map(
    readdirSync(directory).map((file) => {
      const manifest = manifestOf(join(directory, file));
      return [manifest.name, { file, manifest, bytes: readFileSync(join(directory, file)) }];
    }),
  );
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const origin = `http://127.0.0.1:${server.address().port}`;
  return { origin, close: () => server.close() };
}

function packument({ file, manifest, bytes }, origin) {
  const { name, version } = manifest;
  const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
  const dist = { tarball: `${origin}/${file}`, integrity };
  return { name, 'dist-tags': { latest: version }, versions: { [version]: { ...manifest, dist } } };
}

function manifestOf(tarball) {
  const text = execFileSync('tar', ['-xzOf', tarball, 'package/package.json'], {
    encoding: 'utf8',
  });
  return JSON.parse(text);
}
