import { notFound, status, stream } from 'wapix';
import { findReport } from '../../../../reports';
import type { RequestHandler } from './$types';

const handler: RequestHandler = (req) => {
  const report = findReport(req.params.id);
  if (!report) return notFound({ error: `There is no report ${req.params.id}` });
  if (report.percent < 100) return status(409, { error: 'It is not ready yet' });
  return stream(report.rows(), 'text/csv; charset=utf-8', {
    'Content-Disposition': 'attachment; filename="report.csv"',
  });
};

export default handler;
