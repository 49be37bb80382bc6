import { WapixError } from '../errors.js';

type Binding = typeof import('../../binding/index.js');
export type BindingServer = InstanceType<Binding['BindingServer']>;

/** The one place that loads the addon. */
export const { createServer, findJsonError, openPort, parseMultipart } = load();

function load(): Binding {
  try {
    return require('../../binding/index.js') as Binding;
  } catch (cause) {
    const platform = `${process.platform}-${process.arch}`;
    throw new WapixError(
      'WAPIX_BINDING_NOT_LOADED',
      `wapix found no binary that runs on ${platform} with Node ${process.versions.node}:\n` +
        `${[...reasons(cause)].map((reason) => `- ${reason}`).join('\n')}\n` +
        'Install wapix again on this machine, with optional dependencies: `npm install wapix`.',
    );
  }
}

/** What the generated loader tried, and what each try said. */
function* reasons(error: unknown): Generator<string> {
  for (let next = error; next instanceof Error; next = next.cause) {
    const [message = ''] = next.message.split('\n');
    // The loader's own summary speaks of npm, and its last resort is a build that we do not have.
    const isSummary = next === error && next.cause !== undefined;
    if (!isSummary && !/wasm|wasi/.test(message)) yield message;
  }
}
