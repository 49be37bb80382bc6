import { WapixError } from './errors.js';
import { describeHost, hostPlatform } from './platform.js';
import { version } from './version.js';

type Binding = typeof import('../binding/index.js');
export type BindingServer = InstanceType<Binding['BindingServer']>;
export type BindingBridge = InstanceType<Binding['BindingBridge']>;

/**
 * The binaries of a release. Written out, because what traces the files that a program needs does not
 * see a name that is put together.
 */
const PACKAGES: Partial<Record<string, () => Binding>> = {
  'darwin-arm64': () => require('@wapix/binding-darwin-arm64'),
  'darwin-x64': () => require('@wapix/binding-darwin-x64'),
  'linux-arm64-gnu': () => require('@wapix/binding-linux-arm64-gnu'),
  'linux-arm64-musl': () => require('@wapix/binding-linux-arm64-musl'),
  'linux-x64-gnu': () => require('@wapix/binding-linux-x64-gnu'),
  'linux-x64-musl': () => require('@wapix/binding-linux-x64-musl'),
  'win32-x64-msvc': () => require('@wapix/binding-win32-x64-msvc'),
};

/** The one place that loads the addon. */
export const {
  answer,
  answerWithFile,
  checkRedisUrl,
  createServer,
  findJsonError,
  openChannel,
  openPort,
  parseMultipart,
  take,
  write,
} = load();

function load(): Binding {
  // napi-rs's name for it: a binary to test instead.
  const { NAPI_RS_NATIVE_LIBRARY_PATH: instead } = process.env;
  if (instead) return require(instead) as Binding;

  const host = hostPlatform();
  const reasons: string[] = [];
  for (const find of [fromBuild, fromPackage]) {
    try {
      return find(host);
    } catch (error) {
      // What follows the first line is where `require` was called.
      const [message = ''] = String((error as Error).message).split('\n');
      reasons.push(message);
    }
  }
  throw new WapixError(
    'WAPIX_BINDING_NOT_LOADED',
    `wapix found no binary that runs on ${describeHost()}:\n` +
      `${reasons.map((reason) => `- ${reason}`).join('\n')}\n` +
      (host in PACKAGES
        ? 'Install wapix again on this machine, with optional dependencies: `npm install wapix`.'
        : 'Run it with a Node.js for one of these.'),
  );
}

/** What `npm run build` makes; a release has none. */
function fromBuild(name: string): Binding {
  return require(`../binding/wapix.${name}.node`) as Binding;
}

function fromPackage(name: string): Binding {
  const read = PACKAGES[name];
  if (!read)
    throw new Error(`there is none for ${name}, but for ${Object.keys(PACKAGES).join(', ')}`);
  const manifest = `@wapix/binding-${name}/package.json`;
  const { version: built } = require(manifest) as { version: string };
  // Both sides of the bridge change together.
  if (built !== version) throw new Error(`${manifest} is of ${built}, and wapix is ${version}`);
  return read();
}
