/** Reads HTTP/1 responses byte for byte: nothing is forgiven, nothing is added. */

const CRLF = '\r\n';

/** The head at the start of `bytes`, or `undefined` where it is not complete. */
export function readHead(bytes) {
  const end = bytes.indexOf(CRLF + CRLF);
  if (end < 0) return undefined;
  const [statusLine, ...lines] = bytes.subarray(0, end).toString('latin1').split(CRLF);
  const [, version, code, reason] = /^HTTP\/(\d\.\d) (\d{3}) ?(.*)$/.exec(statusLine) ?? [];
  if (code === undefined) throw new Error(`not a status line: ${JSON.stringify(statusLine)}`);
  const fields = lines.map((line) => {
    const [, name, value] = /^([^:\s]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    if (name === undefined) throw new Error(`not a header field: ${JSON.stringify(line)}`);
    return [name.toLowerCase(), value];
  });
  return { version, status: Number(code), reason, fields, length: end + 4 };
}

/** The value of a header field, or `undefined`; of a repeated one all, joined. */
export function fieldOf(fields, name) {
  const values = fields.filter(([key]) => key === name).map(([, value]) => value);
  return values.length > 0 ? values.join(', ') : undefined;
}

/**
 * The chunks at the start of `bytes`.
 *
 * @returns the chunks, how many bytes they took, and whether the last, empty chunk was there
 */
export function readChunks(bytes) {
  const chunks = [];
  let at = 0;
  for (;;) {
    const lineEnd = bytes.indexOf(CRLF, at);
    if (lineEnd < 0) break;
    const line = bytes.subarray(at, lineEnd).toString('latin1');
    if (!/^[0-9a-f]+$/i.test(line)) throw new Error(`not a chunk size: ${JSON.stringify(line)}`);
    const size = Number.parseInt(line, 16);
    const next = lineEnd + 2 + size + 2;
    if (bytes.length < next) break;
    if (bytes.toString('latin1', next - 2, next) !== CRLF) throw new Error('no CRLF after a chunk');
    at = next;
    if (size === 0) return { chunks, length: at, final: true };
    chunks.push(bytes.subarray(lineEnd + 2, next - 2));
  }
  return { chunks, length: at, final: false };
}

/** Whether a response with this head has no content, whatever its fields say. */
function isBodiless(head, method) {
  return method === 'HEAD' || head.status < 200 || head.status === 204 || head.status === 304;
}

/**
 * The response at the start of `bytes`, or `undefined` where more has to come.
 *
 * @param ended - no more will come
 */
export function readResponse(bytes, { method, ended }) {
  const head = readHead(bytes);
  if (head === undefined) return undefined;
  const rest = bytes.subarray(head.length);
  const make = (body, length, complete, chunks = []) => ({
    ...head,
    body,
    text: body.toString(),
    chunks,
    complete,
    length: head.length + length,
    field: (name) => fieldOf(head.fields, name),
    get json() {
      return JSON.parse(this.text);
    },
  });
  if (isBodiless(head, method)) return make(Buffer.alloc(0), 0, true);
  const declared = fieldOf(head.fields, 'content-length');
  if (fieldOf(head.fields, 'transfer-encoding') !== undefined) {
    if (declared !== undefined) throw new Error('both Content-Length and Transfer-Encoding');
    const { chunks, length, final } = readChunks(rest);
    if (!final && !ended) return undefined;
    return make(Buffer.concat(chunks), length, final, chunks);
  }
  if (declared !== undefined) {
    const size = Number(declared);
    if (rest.length < size && !ended) return undefined;
    const body = rest.subarray(0, size);
    return make(body, body.length, body.length === size);
  }
  return ended ? make(rest, rest.length, true) : undefined;
}
