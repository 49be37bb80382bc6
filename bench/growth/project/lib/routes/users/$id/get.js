import { json } from '../../../../../../../dist/index.js';

export default (req) => json({ id: req.params.id, name: 'Ada Lovelace' });
