/** The one place that loads the addon. */
export {
  BindingServer,
  createServer,
  findJsonError,
  parseMultipart,
} from '../../binding/index.js';
