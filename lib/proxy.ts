import { BlockList, isIP } from 'node:net';
import type { ServerOptions } from '../index.js';
import { WapixError } from './errors.js';

/** Whether what a neighbour says of whom it speaks for is believed; of a Unix socket it is ''. */
export type Trust = (ip: string) => boolean;

const LOOPBACK = ['127.0.0.0/8', '::1'];

/** @throws `WAPIX_INVALID_OPTION` for what is no address and no range of addresses */
export function readTrust(option: ServerOptions['trustProxy']): Trust {
  if (option === undefined || option === false) return () => false;
  if (option === true) return () => true;
  const trusted = new BlockList();
  const ranges = [option].flat().flatMap((range) => (range === 'loopback' ? LOOPBACK : range));
  for (const range of ranges) addRange(trusted, range);
  return (ip) => {
    // Who connects to a Unix socket is on this machine.
    if (ip === '') return trusted.check('127.0.0.1');
    return trusted.check(ip, isIP(ip) === 6 ? 'ipv6' : 'ipv4');
  };
}

function addRange(trusted: BlockList, range: string): void {
  const [address = '', length, ...more] = String(range).split('/');
  const version = isIP(address);
  const bits = version === 6 ? 128 : 32;
  const prefix = length === undefined ? bits : Number(length);
  const isRange = /^\d+$/.test(length ?? '0') && prefix <= bits && more.length === 0;
  if (version === 0 || !isRange) {
    throw new WapixError(
      'WAPIX_INVALID_OPTION',
      `trustProxy: ${JSON.stringify(range)} is no IP address, no range such as 10.0.0.0/8, and not "loopback"`,
    );
  }
  trusted.addSubnet(address, prefix, version === 6 ? 'ipv6' : 'ipv4');
}

/**
 * The client's address: the last one in `X-Forwarded-For` that no trusted proxy has, as each proxy
 * adds its own neighbour behind what it was told.
 */
export function clientIp(neighbour: string, forwardedFor: string, trust: Trust): string {
  let client = neighbour;
  const hops = forwardedFor.split(',');
  while (trust(client)) {
    const hop = withoutPort((hops.pop() ?? '').trim());
    if (isIP(hop) === 0) break;
    client = hop;
  }
  return client;
}

/** What the proxy next to us says, behind others, that its client spoke with it. */
export function clientProtocol(forwardedProto: string): 'http' | 'https' | undefined {
  const last = forwardedProto.split(',').at(-1)?.trim().toLowerCase();
  return last === 'http' || last === 'https' ? last : undefined;
}

/** Some proxies add the port: 192.0.2.1:4711, [2001:db8::1]:4711. */
function withoutPort(hop: string): string {
  const [, bracketed, plain] = /^\[([^\]]*)\](?::\d+)?$|^([\d.]+):\d+$/.exec(hop) ?? [];
  return bracketed ?? plain ?? hop;
}
