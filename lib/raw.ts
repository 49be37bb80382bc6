import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Exchange } from './exchange.js';
import { http } from './lazy.js';

/** A Node `http.IncomingMessage` of the same request, for code that expects one. */
export function toIncomingMessage(exchange: Exchange): IncomingMessage {
  const message = new (http().IncomingMessage)(toSocket(exchange));
  const [major, minor] = exchange.httpVersion.split('.').map(Number);
  const fields = exchange.headerFields;
  const rawHeaders = fields.raw;
  const headers = exchange.headers ?? fields.join();
  // Some fields are getters on the prototype in some versions of Node.
  for (const [key, value] of Object.entries({
    method: exchange.method,
    url: exchange.url,
    httpVersion: exchange.httpVersion,
    httpVersionMajor: major,
    httpVersionMinor: minor,
    rawHeaders,
    headers,
    headersDistinct: distinct(rawHeaders),
    complete: true,
  })) {
    Object.defineProperty(message, key, {
      value,
      configurable: true,
      enumerable: true,
      writable: true,
    });
  }
  if (exchange.requestBody !== undefined) {
    exchange.requestBody.feed(message);
    return message;
  }
  if (exchange.content.length > 0) message.push(exchange.content);
  message.push(null);
  return message;
}

function distinct(lines: readonly string[]): Record<string, string[]> {
  const headers: Record<string, string[]> = Object.create(null);
  for (let index = 0; index + 1 < lines.length; index += 2) {
    const name = lines[index] as string;
    headers[name] = [...(headers[name] ?? []), lines[index + 1] as string];
  }
  return headers;
}

/** The connection belongs to Rust: this socket only tells of it. */
function toSocket(exchange: Exchange): Socket {
  const socket = new Socket();
  const family = exchange.ip.includes(':') ? 'IPv6' : 'IPv4';
  for (const [key, value] of Object.entries({
    remoteAddress: exchange.ip || undefined,
    remotePort: exchange.port || undefined,
    remoteFamily: exchange.ip ? family : undefined,
    encrypted: exchange.encrypted,
  })) {
    Object.defineProperty(socket, key, { value, configurable: true, enumerable: true });
  }
  return socket;
}
