import { inspect } from 'node:util';
import type { RouteConfig } from '../index.js';
import { WapixError } from './errors.js';
import { unknownName } from './options.js';

const NAMES = { bodyLimit: '', timeout: '', streamBody: '' } satisfies Record<
  keyof RouteConfig,
  string
>;

/** The longest that a timer of Node's can wait, in milliseconds. */
const LONGEST = 2 ** 31 - 1;

/**
 * Checks the settings of one route.
 *
 * @param where - names the route, in errors
 * @throws `WAPIX_INVALID_ROUTE`
 */
export function readRouteConfig(where: string, config: unknown): RouteConfig {
  if (config === undefined) return {};
  const invalid = (what: string) =>
    new WapixError('WAPIX_INVALID_ROUTE', `${where}: config${what}`);
  if (typeof config !== 'object' || config === null) {
    throw invalid(
      ` is an object, { bodyLimit, timeout, streamBody }, not of type ${typeof config}`,
    );
  }
  const unknown = unknownName(config, NAMES);
  if (unknown !== undefined) throw invalid(`: ${unknown}`);
  const { bodyLimit, timeout, streamBody } = config as RouteConfig;
  if (bodyLimit !== undefined && !(typeof bodyLimit === 'number' && bodyLimit >= 0)) {
    throw invalid(`.bodyLimit is a number of bytes, not ${inspect(bodyLimit)}`);
  }
  if (
    timeout !== undefined &&
    !(typeof timeout === 'number' && timeout > 0 && timeout <= LONGEST)
  ) {
    throw invalid(`.timeout is a number of milliseconds up to ${LONGEST}, not ${inspect(timeout)}`);
  }
  if (streamBody !== undefined && typeof streamBody !== 'boolean') {
    throw invalid(`.streamBody is true or false, not ${inspect(streamBody)}`);
  }
  return config;
}
