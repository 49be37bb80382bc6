import { redirect } from 'wapix';

export default () => redirect('/rooms/lobby');
