import { created, type RequestHandler } from 'wapix';
import { startReport } from '../../reports';

const handler: RequestHandler = () => {
  const id = startReport();
  return created({ id }, `/reports/${id}`);
};

export default handler;
