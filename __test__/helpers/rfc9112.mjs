/**
 * What RFC 9112 lets a server make of a request's framing: every reading it permits, each with the
 * section that does. Strings are Latin-1, one character a byte.
 */

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const QUOTED = '"(?:[^"\\\\\\r\\n\\0]|\\\\[^\\r\\n\\0])*"';
const FIELD = new RegExp(`^(${TOKEN}):[ \\t]*([\\s\\S]*?)[ \\t]*$`);
const CODING = new RegExp(`^(${TOKEN})((?:[ \\t]*;[\\s\\S]*)?)$`);
const EXTENSIONS = new RegExp(
  `^(?:[ \\t]*;[ \\t]*${TOKEN}(?:[ \\t]*=[ \\t]*(?:${TOKEN}|${QUOTED}))?)*$`,
);

const refused = (...statuses) => ({ refused: statuses });
const BAD_REQUEST = refused(400);
/** RFC 9110, 8.6: a length that is too large is refused, whatever the number type. */
const TOO_LONG = refused(400, 413, 431);

/** The texts that the fields of a head may be read as; `undefined` where they may be refused. */
function readAs(lines) {
  // 5.2: a folded line is refused, or unfolded. RFC 9110, 5.5: CR, LF and NUL in a value are
  // refused, or read as spaces. 2.2: LF alone may end a line.
  const ends = lines.replace(/(?<!\r)\n/g, '\r\n');
  const spaces = lines.replace(/(?<!\r)\n/g, ' ');
  const texts = [ends, spaces].map((text) =>
    text.replace(/\r(?!\n)|\0/g, ' ').replace(/\r\n[ \t]+/g, ' '),
  );
  const asTheyAre = new Set(texts).size === 1 && texts[0] === lines;
  return asTheyAre ? [lines] : [undefined, ...new Set(texts)];
}

const hasControl = (value) =>
  Array.from(value).some((each) => (each < ' ' && each !== '\t') || each === '\x7f');

/** The lists of fields that the lines of a head may be read as. */
function fieldsOf(lines) {
  return readAs(lines).flatMap((text) => {
    if (text === undefined) return [undefined];
    const fields = text
      .split('\r\n')
      .slice(0, -1)
      .map((line) => FIELD.exec(line));
    // 5.1: no space before the colon. 5: a field name is a token.
    if (fields.includes(null)) return [undefined];
    const read = fields.map(([, name, value]) => [name.toLowerCase(), value]);
    // RFC 9110, 5.5: other control characters are invalid, but may be kept.
    return read.some(([, value]) => hasControl(value)) ? [undefined, read] : [read];
  });
}

const valuesOf = (fields, name) => fields.filter(([key]) => key === name).map(([, value]) => value);
const list = (values) =>
  values
    .flatMap((value) => value.split(','))
    .map((element) => element.replace(/^[ \t]+|[ \t]+$/g, ''));
const isEmpty = (element) => element === '';

/** How content in transfer codings may be read. */
function codedReadings(version, values, hasLength) {
  const elements = list(values);
  const codings = elements.filter((each) => !isEmpty(each)).map((each) => CODING.exec(each));
  if (codings.includes(null)) return [refused(400, 501)];
  const names = codings.map(([, name]) => name.toLowerCase());
  // 6.3 (4): where `chunked` is not the last, the length cannot be told.
  if (names.at(-1) !== 'chunked') return [refused(400, 501)];
  // 6.1: `chunked` is applied once; a coding that is not understood is 501.
  if (names.length > 1) return [refused(400, 501)];
  const readings = [];
  // 7.1: parameters of `chunked` are an error.
  if (codings[0][2] !== '') readings.push(refused(400, 501));
  // RFC 9110, 5.6.1: empty elements are none. Nobody writes them but to hide something: they may be
  // refused, too.
  if (elements.some(isEmpty)) readings.push(refused(400, 501));
  // 6.1: with a Content-Length, or over HTTP/1.0, it is faulty: refused, or read and closed.
  const faulty = hasLength || version === '1.0';
  if (faulty) readings.push(BAD_REQUEST);
  return [...readings, { chunks: true, closes: faulty }];
}

/** How content with a Content-Length may be read, of which no more than `limit` bytes are taken. */
function lengthReadings(values, limit) {
  const all = list(values);
  const elements = all.filter((each) => !isEmpty(each));
  // 6.3 (5): a length that is no number is refused; so are lengths that differ.
  const invalid = elements.length === 0 || elements.some((element) => !/^[0-9]+$/.test(element));
  if (invalid) return [BAD_REQUEST];
  const lengths = new Set(elements.map(BigInt));
  if (lengths.size > 1) return [BAD_REQUEST];
  const [length] = lengths;
  if (length > limit) return [TOO_LONG];
  const reading = { length: Number(length), closes: false };
  // 6.3 (5): the same length more than once is that length, or refused.
  const plain = values.length === 1 && values[0] === elements[0];
  return plain ? [reading] : [BAD_REQUEST, reading];
}

/**
 * How a server may tell the end of a request with these header lines, each ended by CRLF:
 * `{ refused: statuses }`, `{ length, closes }` or `{ chunks, closes }`.
 */
export function framings(version, lines, limit) {
  return fieldsOf(lines).flatMap((fields) => {
    if (fields === undefined) return [BAD_REQUEST];
    const lengths = valuesOf(fields, 'content-length');
    const codings = valuesOf(fields, 'transfer-encoding');
    if (codings.length > 0) {
      const readings = codedReadings(version, codings, lengths.length > 0);
      const tooLong = list(lengths).some((each) => /^[0-9]+$/.test(each) && BigInt(each) > limit);
      return tooLong ? [TOO_LONG, ...readings] : readings;
    }
    if (lengths.length > 0) return lengthReadings(lengths, limit);
    // 6.3 (7): neither, no content.
    return [{ length: 0, closes: false }];
  });
}

/**
 * How a server may read what begins with chunks: `{ body, rest }`, `{ refused: statuses }` or
 * `{ waits: true }` for more to come.
 */
export function chunkedReadings(bytes, limit) {
  const readings = [];
  let body = '';
  let rest = bytes;
  for (;;) {
    const end = rest.indexOf('\r\n');
    // What is wrong already may be refused before the rest of it has come.
    if (end < 0) return [BAD_REQUEST, { waits: true }];
    const [, digits, extensions] =
      /^([0-9a-f]+)([ \t]*(?:;[\s\S]*)?)$/i.exec(rest.slice(0, end)) ?? [];
    // 7.1: a size is hexadecimal digits and no more, and its line ends with CRLF: 2.2 lets LF alone
    // end the lines of a head, not these.
    if (digits === undefined || /[\r\n]/.test(extensions)) return [BAD_REQUEST];
    // 7.1.1: extensions are passed over, if that is what they are, and not too many. 7.1: a size may
    // have too many digits to be read.
    const proper = EXTENSIONS.test(extensions) && extensions.length < 10_000;
    if (!proper || digits.length > 16) readings.push(BAD_REQUEST);
    const size = BigInt(`0x${digits}`);
    if (size + BigInt(body.length) > limit) return [TOO_LONG, { waits: true }];
    rest = rest.slice(end + 2);
    if (size === 0n) return [...readings, ...trailersReadings(body, rest)];
    const length = Number(size);
    const ending = rest.slice(length, length + 2);
    if (!'\r\n'.startsWith(ending)) return [BAD_REQUEST];
    if (ending.length < 2) return [...readings, { waits: true }];
    body += rest.slice(0, length);
    rest = rest.slice(length + 2);
  }
}

/** 7.1.2: a trailer section is fields, up to an empty line. */
function trailersReadings(body, rest) {
  if (rest.startsWith('\r\n')) return [{ body, rest: rest.slice(2) }];
  const end = rest.indexOf('\r\n\r\n');
  if (end < 0) return [BAD_REQUEST, { waits: true }];
  const read = { body, rest: rest.slice(end + 4) };
  const fields = fieldsOf(rest.slice(0, end + 2));
  // What is valid may be too much.
  const accepted = fields.every((each) => each?.length <= 100) && end < 10_000;
  return accepted ? [read] : [BAD_REQUEST, read];
}
