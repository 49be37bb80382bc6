import { type RequestHandler, stream } from 'wapix';
import { allReadings } from '../../readings';

/** A field of a CSV row (RFC 4180). */
function field(value: string | number): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Each row is made when the client is ready for it. */
function* rows(): Generator<string> {
  yield 'id,sensor,celsius\r\n';
  for (const { id, sensor, celsius } of allReadings()) {
    yield `${[id, sensor, celsius].map(field).join(',')}\r\n`;
  }
}

const handler: RequestHandler = () =>
  stream(rows(), 'text/csv; charset=utf-8', {
    'Content-Disposition': 'attachment; filename="readings.csv"',
  });

export default handler;
