// No second request is ever made of what is, or may be, a body: Content-Length and Transfer-Encoding
// in every spelling, with each other, over each version; and the spellings of chunks. What is right
// is computed from RFC 9112 (helpers/rfc9112.mjs), and for the rows below said by hand.

import test from 'ava';
import { wellBehaved } from './helpers/outcome.mjs';
import { framings } from './helpers/rfc9112.mjs';
import { forbidden, SMUGGLED, serveWitness } from './helpers/smuggling.mjs';

/** The field lines that say `n`, or seem to. */
const LENGTHS = {
  'no length': () => '',
  'a length': (n) => `Content-Length: ${n}\r\n`,
  'a length in lower case, without a space': (n) => `content-length:${n}\r\n`,
  'the same length twice': (n) => `Content-Length: ${n}\r\nContent-Length: ${n}\r\n`,
  'the same length thrice': (n) => `Content-Length: ${n}\r\n`.repeat(3),
  'a length and 0': (n) => `Content-Length: ${n}\r\nContent-Length: 0\r\n`,
  '0 and a length': (n) => `Content-Length: 0\r\nContent-Length: ${n}\r\n`,
  'a length and one more': (n) => `Content-Length: ${n}\r\nContent-Length: ${n + 1}\r\n`,
  'a length and none': (n) => `Content-Length: ${n}\r\nContent-Length: x\r\n`,
  'none and a length': (n) => `Content-Length:\r\nContent-Length: ${n}\r\n`,
  'a list of the same': (n) => `Content-Length: ${n}, ${n}\r\n`,
  'a list of the same without a space': (n) => `Content-Length: ${n},${n}\r\n`,
  'a list that differs': (n) => `Content-Length: ${n}, 0\r\n`,
  'a list that differs, 0 first': (n) => `Content-Length: 0, ${n}\r\n`,
  'a list that ends empty': (n) => `Content-Length: ${n},\r\n`,
  'a list that begins empty': (n) => `Content-Length: ,${n}\r\n`,
  plus: (n) => `Content-Length: +${n}\r\n`,
  minus: (n) => `Content-Length: -${n}\r\n`,
  hexadecimal: (n) => `Content-Length: 0x${n.toString(16)}\r\n`,
  'hexadecimal without 0x': (n) => `Content-Length: ${n.toString(16)}h\r\n`,
  'a fraction': (n) => `Content-Length: ${n}.0\r\n`,
  'an exponent': (n) => `Content-Length: ${n}e0\r\n`,
  'an underscore': (n) => `Content-Length: ${n}_0\r\n`,
  'two numbers': (n) => `Content-Length: ${n} ${n}\r\n`,
  'a parameter': (n) => `Content-Length: ${n};q=1\r\n`,
  quoted: (n) => `Content-Length: "${n}"\r\n`,
  'spaces around': (n) => `Content-Length:   ${n}  \r\n`,
  'tabs around': (n) => `Content-Length:\t${n}\t\r\n`,
  'a vertical tab before': (n) => `Content-Length: \x0b${n}\r\n`,
  'a form feed after': (n) => `Content-Length: ${n}\x0c\r\n`,
  'NUL after': (n) => `Content-Length: ${n}\0\r\n`,
  'a bare CR after': (n) => `Content-Length: ${n}\r0\r\n`,
  'a space that does not break after': (n) => `Content-Length: ${n}\xa0\r\n`,
  'a superscript': () => 'Content-Length: \xb2\r\n',
  'a leading zero': (n) => `Content-Length: 0${n}\r\n`,
  'twenty leading zeros': (n) => `Content-Length: ${'0'.repeat(20)}${n}\r\n`,
  'beyond 16 bits': (n) => `Content-Length: ${2 ** 24 + n}\r\n`,
  'beyond 32 bits': (n) => `Content-Length: ${2 ** 32 + n}\r\n`,
  'the most of 63 bits': () => `Content-Length: ${2n ** 63n - 1n}\r\n`,
  'the most of 64 bits': () => `Content-Length: ${2n ** 64n - 1n}\r\n`,
  'beyond 64 bits': (n) => `Content-Length: ${2n ** 64n + BigInt(n)}\r\n`,
  'beyond 128 bits': (n) => `Content-Length: ${2n ** 128n + BigInt(n)}\r\n`,
  empty: () => 'Content-Length:\r\n',
  'only a space': () => 'Content-Length: \r\n',
  'no digit': () => 'Content-Length: five\r\n',
  'a space before the colon': (n) => `Content-Length : ${n}\r\n`,
  'a tab before the colon': (n) => `Content-Length\t: ${n}\r\n`,
  'no colon': (n) => `Content-Length ${n}\r\n`,
  'an underscore in the name': (n) => `Content_Length: ${n}\r\n`,
  'NUL in the name': (n) => `Content\0-Length: ${n}\r\n`,
  'a folded length': (n) => `Content-Length:\r\n ${n}\r\n`,
  'a length folded in two': (n) => `Content-Length: ${n}\r\n 0\r\n`,
  'a line that begins with a space': (n) => ` Content-Length: ${n}\r\n`,
  'behind a bare LF': (n) => `X: y\nContent-Length: ${n}\r\n`,
  'behind a bare CR': (n) => `X: y\rContent-Length: ${n}\r\n`,
};

const CODINGS = {
  'no coding': '',
  chunked: 'Transfer-Encoding: chunked\r\n',
  Chunked: 'Transfer-Encoding: Chunked\r\n',
  CHUNKED: 'TRANSFER-ENCODING: CHUNKED\r\n',
  'chunked, chunked': 'Transfer-Encoding: chunked, chunked\r\n',
  'two fields': 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n',
  'two fields, gzip first': 'Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n',
  'two fields, chunked first': 'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n',
  'two fields, one empty': 'Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n',
  'gzip, chunked': 'Transfer-Encoding: gzip, chunked\r\n',
  'chunked, gzip': 'Transfer-Encoding: chunked, gzip\r\n',
  'identity, chunked': 'Transfer-Encoding: identity, chunked\r\n',
  identity: 'Transfer-Encoding: identity\r\n',
  gzip: 'Transfer-Encoding: gzip\r\n',
  xchunked: 'Transfer-Encoding: xchunked\r\n',
  chunkedx: 'Transfer-Encoding: chunkedx\r\n',
  chunk: 'Transfer-Encoding: chunk\r\n',
  'x chunked': 'Transfer-Encoding: x chunked\r\n',
  'x, chunked': 'Transfer-Encoding: x, chunked\r\n',
  ', chunked': 'Transfer-Encoding: , chunked\r\n',
  'chunked,': 'Transfer-Encoding: chunked,\r\n',
  'spaces before': 'Transfer-Encoding:   chunked\r\n',
  'no space before': 'Transfer-Encoding:chunked\r\n',
  'a space after': 'Transfer-Encoding: chunked \r\n',
  'a tab before': 'Transfer-Encoding:\tchunked\r\n',
  'a tab after': 'Transfer-Encoding: chunked\t\r\n',
  'a vertical tab before': 'Transfer-Encoding: \x0bchunked\r\n',
  'a form feed after': 'Transfer-Encoding: chunked\x0c\r\n',
  'a space that does not break': 'Transfer-Encoding: \xa0chunked\r\n',
  'the Kelvin sign': 'Transfer-Encoding: chun\xe2\x84\xaaed\r\n',
  quoted: 'Transfer-Encoding: "chunked"\r\n',
  'in single quotes': "Transfer-Encoding: 'chunked'\r\n",
  'a parameter': 'Transfer-Encoding: chunked;q=1\r\n',
  'a semicolon': 'Transfer-Encoding: chunked;\r\n',
  empty: 'Transfer-Encoding:\r\n',
  'NUL before': 'Transfer-Encoding: \0chunked\r\n',
  'NUL within': 'Transfer-Encoding: chun\0ked\r\n',
  'NUL after': 'Transfer-Encoding: chunked\0\r\n',
  'NUL in the name': 'Transfer\0-Encoding: chunked\r\n',
  'a bare CR before': 'Transfer-Encoding: \rchunked\r\n',
  'a bare CR after': 'Transfer-Encoding: chunked\rx\r\n',
  'a space before the colon': 'Transfer-Encoding : chunked\r\n',
  'a tab before the colon': 'Transfer-Encoding\t: chunked\r\n',
  'a vertical tab before the colon': 'Transfer-Encoding\x0b: chunked\r\n',
  'a space in the name': 'Transfer Encoding: chunked\r\n',
  'an underscore in the name': 'Transfer_Encoding: chunked\r\n',
  'no colon': 'Transfer-Encoding chunked\r\n',
  'another name': 'Transfer-Encodin: chunked\r\n',
  folded: 'Transfer-Encoding:\r\n chunked\r\n',
  'folded behind': 'Transfer-Encoding: chunked\r\n \r\n',
  'folded to two': 'Transfer-Encoding: chunked\r\n , identity\r\n',
  'in a folded line': 'X: y\r\n Transfer-Encoding: chunked\r\n',
  'behind a bare LF': 'X: y\nTransfer-Encoding: chunked\r\n',
  'behind a bare CR': 'X: y\rTransfer-Encoding: chunked\r\n',
  'ended by a bare LF': 'Transfer-Encoding: chunked\nX: y\r\n',
};

const VERSIONS = [
  ['1.1', ''],
  ['1.0', ''],
  ['1.0', 'Connection: keep-alive\r\n'],
];

/** Bodies of which one reading ends before a request, the other behind it; with the length to say. */
const BODIES = [
  // By its chunks the body is empty.
  { body: `0\r\n\r\n${SMUGGLED}`, length: 5 + SMUGGLED.length },
  // By its length the body is the size of a chunk.
  { body: `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`, length: 4 },
  // Without either there is no body.
  { body: SMUGGLED, length: SMUGGLED.length },
];

/** Sizes of a chunk of `n` bytes, or what seems to be one. */
const SIZES = {
  'a size': (n) => n,
  'a leading zero': (n) => `0${n}`,
  'sixteen digits': (n) => n.padStart(16, '0'),
  'thirty digits': (n) => n.padStart(30, '0'),
  'a space after': (n) => `${n} `,
  'a tab after': (n) => `${n}\t`,
  'a space before': (n) => ` ${n}`,
  'a tab before': (n) => `\t${n}`,
  'a space within': (n) => n.split('').join(' '),
  'a vertical tab after': (n) => `${n}\x0b`,
  'NUL after': (n) => `${n}\0`,
  '0x': (n) => `0x${n}`,
  plus: (n) => `+${n}`,
  minus: (n) => `-${n}`,
  quoted: (n) => `"${n}"`,
  'a letter after': (n) => `${n}h`,
  'an underscore': (n) => `${n}_`,
  'a fraction': (n) => `${n}.0`,
  'a list': (n) => `${n},${n}`,
  'no size': () => '',
  'no number': () => 'size',
  'one less': (n) => (Number.parseInt(n, 16) - 1).toString(16),
  'one more': (n) => (Number.parseInt(n, 16) + 1).toString(16),
  zero: () => '0',
  'beyond 32 bits': (n) => `1${n.padStart(8, '0')}`,
  'the most of 64 bits': () => 'f'.repeat(16),
  'minus one of 63 bits': () => `7${'f'.repeat(15)}`,
  'beyond 64 bits': (n) => `1${n.padStart(16, '0')}`,
  'a semicolon': (n) => `${n};`,
  'an extension': (n) => `${n};a`,
  'an extension with a value': (n) => `${n} ; a = b`,
  'an extension with a quoted value': (n) => `${n};a="b;\\"c";d`,
  'an extension with an open quote': (n) => `${n};a="`,
  'an extension without a name': (n) => `${n};=b`,
  'an extension with a control character': (n) => `${n};a\x01`,
  'an extension with NUL': (n) => `${n};a\0`,
  'an extension with LF': (n) => `${n};a\nb`,
  'an extension with LF, quoted': (n) => `${n};a="\n"`,
  'an extension with CR': (n) => `${n};a\rb`,
  'an extension of 20,000 bytes': (n) => `${n};${'a'.repeat(20_000)}`,
};
const LINE_ENDS = ['\r\n', '\n', '\r', '\r\r\n', '\n\r\n', '\n\r', ''];
const DATA_ENDS = ['\r\n', '\n', '\r', '', 'x\r\n', '\r\r\n', '\n\r\n', '\n\r'];

/** What ends the chunks, or seems to. */
const ENDINGS = [
  ...['0', '000', '0 ', ' 0', '0\t', '-0', '+0', '0x0', '0;a', '0;a="b"', '0h', ''].map(
    (size) => `${size}\r\n\r\n`,
  ),
  ...['\r\n', '0', '0\r\n', '0\r', '0\n', '0\n\n', '0\n\r\n', '0\r\n\n', '0\r\r', '0\r\n\r'],
  ...['X: y', 'X:y', 'X:', 'X', 'X y', 'X : y', ': y', ' X: y', 'X: y\r\n z'],
  ...['X: \0', 'X: a\rb', 'X\0: y', 'X: \x01', 'X: y\r\nX: z', 'X: y\r'],
  ...['Content-Length: 5', 'Transfer-Encoding: chunked', 'Host: other', 'GET / HTTP/1.1'],
  'X: y\r\n'.repeat(200),
  `X: ${'y'.repeat(100_000)}`,
].map((ending, index) => (index < 22 ? ending : `0\r\n${ending}\r\n\r\n`));
function requestsWith(coding) {
  return Object.values(LENGTHS).flatMap((lengthOf) =>
    VERSIONS.flatMap(([version, connection]) =>
      BODIES.map(({ body, length }) => ({
        version,
        lines: `Host: test\r\n${connection}${lengthOf(length)}${coding}`,
        body,
      })),
    ),
  );
}

/** What is said of a head by hand, and what the rules make of it. */
const RULES = [
  ['1.1', '', ['length 0']],
  ['1.1', 'Content-Length: 5\r\n', ['length 5']],
  ['1.1', 'Content-Length: 05\r\n', ['length 5']],
  ['1.1', 'Content-Length: 5\r\nContent-Length: 5\r\n', ['refused', 'length 5']],
  ['1.1', 'Content-Length: 5, 5\r\n', ['refused', 'length 5']],
  ['1.1', 'Content-Length: 5\r\nContent-Length: 6\r\n', ['refused']],
  ['1.1', 'Content-Length: +5\r\n', ['refused']],
  ['1.1', 'Content-Length: 99999999999999999999\r\n', ['refused']],
  ['1.1', 'Content-Length : 5\r\n', ['refused']],
  ['1.1', 'Content-Length:\r\n 5\r\n', ['refused', 'length 5']],
  ['1.1', 'Content_Length: 5\r\n', ['length 0']],
  ['1.1', 'Transfer-Encoding: chunked\r\n', ['chunks']],
  ['1.1', 'transfer-encoding:\tCHUNKED\t\r\n', ['chunks']],
  ['1.0', 'Transfer-Encoding: chunked\r\n', ['refused', 'chunks, closed']],
  ['1.1', 'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', ['refused', 'chunks, closed']],
  ['1.1', 'Content-Length: x\r\nTransfer-Encoding: chunked\r\n', ['refused', 'chunks, closed']],
  ['1.1', 'Transfer-Encoding: chunked, chunked\r\n', ['refused']],
  ['1.1', 'Transfer-Encoding: gzip, chunked\r\n', ['refused']],
  ['1.1', 'Transfer-Encoding: chunked, gzip\r\n', ['refused']],
  ['1.1', 'Transfer-Encoding: identity\r\n', ['refused']],
  ['1.1', 'Transfer-Encoding: \x0bchunked\r\n', ['refused', 'refused']],
  ['1.1', 'Transfer-Encoding: "chunked"\r\n', ['refused']],
  ['1.1', 'Transfer-Encoding: chunked;q=1\r\n', ['refused', 'chunks']],
  ['1.1', 'Transfer-Encoding : chunked\r\n', ['refused']],
  ['1.1', 'Transfer-Encoding: chun\0ked\r\n', ['refused', 'refused']],
  ['1.1', 'X: y\nTransfer-Encoding: chunked\r\n', ['refused', 'chunks', 'length 0']],
];

test('the rules that the tables are held against', (t) => {
  const described = ({ refused, chunks, length, closes }) => {
    if (refused) return 'refused';
    return chunks ? `chunks${closes ? ', closed' : ''}` : `length ${length}`;
  };
  for (const [version, lines, expected] of RULES) {
    t.deepEqual(framings(version, lines, 1_000).map(described), expected, lines);
  }
});

for (const [name, coding] of Object.entries(CODINGS)) {
  test.serial(`${name}: with every Content-Length, no request is made of a body`, async (t) => {
    const witness = await serveWitness(t);
    const behave = await wellBehaved(t, witness.server);
    t.is((await behave()).text, 'outer');
    const wrong = await forbidden(t, witness, requestsWith(coding));
    t.deepEqual(wrong, []);
    t.is((await behave()).text, 'outer');
  });
}

const CHUNKED = 'Host: test\r\nTransfer-Encoding: chunked\r\n';
const SIZE = SMUGGLED.length.toString(16);
const withChunks = (body) => ({ version: '1.1', lines: CHUNKED, body });

for (const [name, sizeOf] of Object.entries(SIZES)) {
  test.serial(`a chunk with ${name}: with every line end, no request is made of it`, async (t) => {
    const witness = await serveWitness(t);
    const behave = await wellBehaved(t, witness.server);
    const requests = LINE_ENDS.flatMap((lineEnd) =>
      DATA_ENDS.map((dataEnd) =>
        withChunks(`${sizeOf(SIZE)}${lineEnd}${SMUGGLED}${dataEnd}0\r\n\r\n`),
      ),
    );
    const wrong = await forbidden(t, witness, requests);
    t.deepEqual(wrong, []);
    t.is((await behave()).text, 'outer');
  });
}

test.serial('chunks however they end, and whatever their trailers', async (t) => {
  const witness = await serveWitness(t);
  const behave = await wellBehaved(t, witness.server);
  const requests = ENDINGS.flatMap((ending) => [
    withChunks(`${SIZE}\r\n${SMUGGLED}\r\n${ending}${SMUGGLED}`),
    withChunks(`${ending}${SMUGGLED}`),
  ]);
  const wrong = await forbidden(t, witness, requests);
  t.deepEqual(wrong, []);
  t.is((await behave()).text, 'outer');
});
