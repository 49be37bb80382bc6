import { once } from 'node:events';
import { notFound, stream } from 'wapix';
import { findReport, type Report } from '../../../../reports';
import type { RequestHandler } from './$types';

/** How far the report is, until its end. Who reads slowly sees fewer steps, but always the last. */
async function* progress(report: Report, signal: AbortSignal): AsyncGenerator<string> {
  for (let sent = -1; sent < 100; ) {
    while (report.percent === sent) await once(report, 'change', { signal });
    sent = report.percent;
    yield `data: ${sent}\n\n`;
  }
}

const handler: RequestHandler = (req) => {
  const report = findReport(req.params.id);
  if (!report) return notFound({ error: `There is no report ${req.params.id}` });
  return stream(progress(report, req.signal), 'text/event-stream', {
    'Cache-Control': 'no-cache',
  });
};

export default handler;
