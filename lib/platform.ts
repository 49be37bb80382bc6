import { closeSync, openSync, readSync } from 'node:fs';

/** What a binary has to fit, as the packages of the binaries are named: `linux-x64-gnu`. */
export function hostPlatform(): string {
  const { platform, arch } = process;
  if (platform === 'win32') return `${platform}-${arch}-msvc`;
  if (platform !== 'linux') return `${platform}-${arch}`;
  return `${platform}-${arch}-${isMusl() ? 'musl' : 'gnu'}`;
}

/** The same for people, with what else decides whether a binary runs. */
export function describeHost(): string {
  const { platform, arch, versions } = process;
  const libc = isMusl() ? 'musl' : `glibc ${glibcVersion()}`;
  return `${platform}-${arch}${platform === 'linux' ? ` (${libc})` : ''} with Node ${versions.node}`;
}

/**
 * Whether this process runs on musl, by the dynamic loader that its own program names. What lies in
 * the file system, such as `ldd`, tells of the system, which may have both.
 */
function isMusl(): boolean {
  const [, loader] = /\/ld-(musl|linux)/.exec(beginningOfProgram()) ?? [];
  return loader === undefined ? glibcVersion() === undefined : loader === 'musl';
}

/** Where an ELF file names its loader, if nobody has moved it. */
function beginningOfProgram(): string {
  const head = Buffer.alloc(4096);
  try {
    const program = openSync(process.execPath, 'r');
    readSync(program, head);
    closeSync(program);
  } catch {} // It has been deleted, say.
  return head.toString('latin1');
}

/** The glibc that this process runs on; none on musl. It takes Node milliseconds to tell. */
function glibcVersion(): string | undefined {
  // @types/node does not know `excludeNetwork`.
  const report = process.report as typeof process.report & { excludeNetwork: boolean };
  const { excludeNetwork } = report;
  // Or it looks up the names of all peers first.
  report.excludeNetwork = true;
  try {
    const { header } = report.getReport() as { header: { glibcVersionRuntime?: string } };
    return header.glibcVersionRuntime;
  } finally {
    report.excludeNetwork = excludeNetwork;
  }
}
