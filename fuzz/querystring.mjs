/**
 * The query, or the form, of random requests is parsed, and again by a reference: the parser of
 * application/x-www-form-urlencoded as the URL Standard has it, step by step.
 *
 *     node fuzz/querystring.mjs query|form [seconds] [seed]
 */
import { strict as assert } from 'node:assert';
import { isDeepStrictEqual } from 'node:util';
import { createJiti } from 'jiti';

// From the sources: `dist/` has only what the package exports.
const { import: load } = createJiti(import.meta.url);
const { parseContent } = await load('../lib/content.ts');
const { Exchange } = await load('../lib/exchange.ts');
const { Request } = await load('../lib/request.ts');

const [kind, seconds = '600', chosenSeed] = process.argv.slice(2);
const KINDS = { query: checkQuery, form: checkForm };
const check = KINDS[kind];
if (check === undefined) {
  process.stderr.write('usage: node fuzz/querystring.mjs query|form [seconds] [seed]\n');
  process.exit(2);
}
const seed = Number(chosenSeed ?? Date.now() % 2 ** 32) >>> 0;
process.stdout.write(`${kind}: seed ${seed}\n`);

const untouched = builtIns();
const random = mulberry32(seed);
const deadline = performance.now() + 1000 * Number(seconds);
/** Inputs to mutate: a ring of the last ones. */
const earlier = [Buffer.from('a=1&b=2')];
const KEPT = 256;
/** Long inputs are slow: a mutated one is not. */
const LONGEST_KEPT = 1024;

let runs = 0;
// The clock is read now and then: it costs as much as a short input.
for (; runs % 256 !== 0 || performance.now() < deadline; runs++) {
  const input = below(3) === 0 ? mutate(earlier[below(earlier.length)]) : generate();
  earlier[runs % KEPT] = input.subarray(0, LONGEST_KEPT);
  if (failure(input) !== undefined) report(input);
}
process.stdout.write(`${kind}: ${runs} inputs, no finding\n`);

function checkQuery(bytes) {
  // A URL crosses as bytes, each a character; without `?` there is no query.
  const url = `/${bytes.toString('latin1')}`;
  const start = url.indexOf('?');
  const query = start < 0 ? Buffer.alloc(0) : Buffer.from(url.slice(start + 1), 'latin1');
  const expected = new Map();
  for (const [name, value] of reference(query)) expected.set(name, value);
  const end = url.length;
  const route = { method: 'GET', pattern: '/', handler: () => {}, config: {}, parameterNames: [] };
  const exchange = new Exchange(0, 0, route, 0, url, 0, end, end, end, end, 0, []);
  const request = new Request(exchange, () => false);
  compare(request.query, expected);
}

function checkForm(bytes) {
  const parse = () => parseContent(bytes, 'application/x-www-form-urlencoded');
  const malformed = malformedEscape(bytes.toString());
  if (malformed !== undefined) {
    assert.throws(parse, (error) => {
      assert.equal(error.code, 'WAPIX_INVALID_FORM');
      assert.ok(error.message.endsWith(`at position ${malformed}`), error.message);
      return true;
    });
    return;
  }
  const form = parse();
  if (bytes.length === 0) {
    assert.equal(form, undefined);
    return;
  }
  const expected = new Map();
  for (const [name, value] of reference(bytes)) {
    const before = expected.get(name);
    if (before === undefined) expected.set(name, value);
    else if (Array.isArray(before)) before.push(value);
    else expected.set(name, [before, value]);
  }
  compare(form, expected);
}

function compare(parsed, expected) {
  assert.equal(Object.getPrototypeOf(parsed), null, 'the object has no prototype');
  const entries = Object.entries(parsed);
  const isSame = ([name, value]) => isDeepStrictEqual(value, expected.get(name));
  // The comparison that can say what differs is slow.
  if (entries.length === expected.size && entries.every(isSame)) return;
  assert.deepEqual(new Map(entries), expected);
}

/** Names and values (URL Standard, 5.1). Bytes that are no UTF-8 are replaced before all else. */
function reference(bytes) {
  const text = Buffer.from(bytes.toString());
  return split(text, '&')
    .filter((pair) => pair.length > 0)
    .map((pair) => {
      const equals = pair.indexOf('=');
      const name = equals < 0 ? pair : pair.subarray(0, equals);
      const value = equals < 0 ? Buffer.alloc(0) : pair.subarray(equals + 1);
      return [decode(name), decode(value)];
    });
}

function split(bytes, separator) {
  const pieces = [];
  let at = 0;
  for (let end = bytes.indexOf(separator); end >= 0; end = bytes.indexOf(separator, at)) {
    pieces.push(bytes.subarray(at, end));
    at = end + 1;
  }
  return [...pieces, bytes.subarray(at)];
}

function decode(bytes) {
  const decoded = bytes
    .toString('latin1')
    .replaceAll('+', ' ')
    .replace(/%([0-9a-f]{2})/gi, (_, digits) => String.fromCharCode(Number.parseInt(digits, 16)));
  return Buffer.from(decoded, 'latin1').toString();
}

function malformedEscape(text) {
  for (let at = text.indexOf('%'); at >= 0; at = text.indexOf('%', at + 1)) {
    if (!/^[0-9a-f]{2}$/i.test(text.slice(at + 1, at + 3))) return at;
  }
  return undefined;
}

/** What no input may change. */
function builtIns() {
  return [Object.prototype, Array.prototype, Function.prototype, Object]
    .map((object) => Reflect.ownKeys(object).length)
    .join();
}

function failure(input) {
  try {
    check(input);
    assert.equal(builtIns(), untouched, 'no built-in object has changed');
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Leaves out whatever the failure does not need, and says what is left. */
function report(input) {
  let least = input;
  for (let length = least.length; length >= 1; length = Math.floor(length / 2)) {
    for (let at = 0; at < least.length; ) {
      const rest = Buffer.concat([least.subarray(0, at), least.subarray(at + length)]);
      if (failure(rest) === undefined) at += length;
      else least = rest;
    }
  }
  const { message } = failure(least);
  process.stdout.write(`${message}\n${kind}: input ${runs} fails; as Latin-1, no smaller does:\n`);
  process.stdout.write(`${JSON.stringify(least.toString('latin1'))}\n`);
  process.exit(1);
}

function generate() {
  const atoms = Array.from({ length: below(24) }, atom);
  return Buffer.concat(kind === 'query' ? [Buffer.from('?'), ...atoms] : atoms);
}

function atom() {
  const text = (...choices) => Buffer.from(choices[below(choices.length)]);
  switch (below(12)) {
    case 0:
    case 1:
      return text('&', '&', '&&');
    case 2:
    case 3:
      return text('=', '=', '==');
    case 4:
      return text('a', 'b', '0', '1', '', ' ', '?', '#', ';', '[]', 'a[b]', '\0', '\r\n', '"');
    case 5:
      return text('__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'length');
    case 6:
      return text('+', '%20', '%2B', '%26', '%3D', '%25', '%00', '%5f_proto__', '%C3%BC', '%f0%9f%a6%80');
    case 7:
      return text('%', '%4', '%zz', '%4z', '%%', '%u0041', '%C3', '%BC', '%FF', '%ed%a0%80', '%EF%BB%BF');
    case 8:
      return text('é', '日本', '🦀', '\ufeff', '\ufffd', '\u2028', 'Ħ', 'Ľ');
    case 9:
      return Buffer.from(Array.from({ length: 1 + below(4) }, () => below(256)));
    case 10:
      return below(64) === 0 ? Buffer.alloc(below(8 * 1024), 'long&') : text('x');
    default:
      return text('key=value', 'a=1&a=2', 'name=%E6%97%A5', 'k%3');
  }
} // biome-ignore format: tables

function mutate(bytes) {
  const at = below(bytes.length + 1);
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (below(5)) {
    case 0:
      return Buffer.concat([before, after.subarray(1 + below(8))]);
    case 1:
      return Buffer.concat([before, Buffer.from([below(256)]), after.subarray(1)]);
    case 2:
      return Buffer.concat([before, atom(), after]);
    case 3:
      return Buffer.concat([before, before.subarray(-64), after]);
    default:
      return Buffer.concat([before, earlier[below(earlier.length)]]);
  }
}

function below(bound) {
  return Math.floor(random() * bound);
}

function mulberry32(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
