// What Linux tells of a process.
import { readdirSync, readFileSync } from 'node:fs';

/** In bytes. */
export function residentMemory(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)[1]) * 1024;
}

export function descriptors(pid) {
  return readdirSync(`/proc/${pid}/fd`).length;
}

const ESTABLISHED = '01';

/** How many connections to these ports are open. */
export function connections(ports) {
  const lines = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1);
  return lines.filter((line) => {
    const [, local, , state] = line.trim().split(/\s+/);
    return state === ESTABLISHED && ports.includes(Number.parseInt(local.split(':')[1], 16));
  }).length;
}
