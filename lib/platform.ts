/** What a binary has to fit. */
export interface Platform {
  /** As the packages of the binaries are named: `linux-x64-gnu`. */
  readonly binary: string;
  /** For people, with what else decides whether a binary runs. */
  readonly description: string;
}

/** What this process runs on. */
export function hostPlatform(): Platform {
  const { platform, arch, versions } = process;
  const system = `${platform}-${arch}`;
  const runtime = `Node ${versions.node}`;
  if (platform === 'win32') {
    return { binary: `${system}-msvc`, description: `${system} with ${runtime}` };
  }
  if (platform !== 'linux') return { binary: system, description: `${system} with ${runtime}` };

  const glibc = glibcVersion();
  return {
    binary: `${system}-${glibc ? 'gnu' : 'musl'}`,
    description: `${system} (${glibc ? `glibc ${glibc}` : 'musl'}) with ${runtime}`,
  };
}

/**
 * The glibc that this very process runs on; none on musl. What lies in the file system, such as `ldd`,
 * tells of the system, which may have both.
 */
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
