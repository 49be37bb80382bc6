import { useZig } from './zig.mjs';

/** A target other than this machine; on Linux also its own triple, for every glibc that Node runs on. */
export const { WAPIX_BUILD_TARGET: target } = process.env;
/** That of RHEL 8 and Debian 10, which Node's own binaries ask for, too. */
const GLIBC = '2.28';

/** The `triple` to build for, and whether it is cargo-zigbuild that does; neither for this machine. */
export function buildTarget() {
  if (!target) return {};
  if (!target.includes('-linux-')) return { triple: target };
  useZig();
  const suffix = target.endsWith('-gnu') ? `.${GLIBC}` : '';
  return { triple: `${target}${suffix}`, isZig: true };
}
