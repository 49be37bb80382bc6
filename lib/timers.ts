// Node's own, kept from when wapix was loaded: what wapix itself waits for comes, also where a test has put fake
// timers in their place. What an application has set, such as a route's `timeout`, is for `globalThis`.

export const { clearTimeout, setImmediate, setTimeout } = process.getBuiltinModule('node:timers');
/** `process` may be a copy of a test runner's. */
export const { hrtime, nextTick } = process.getBuiltinModule('node:process');
