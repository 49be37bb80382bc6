import { channel } from 'wapix';

/** What opens a channel of a test's own, each time; `name` is that of no other file. */
export function opener(name) {
  let names = 0;
  return (options) => channel(`${name} ${names++}`, options);
}

/** So many whole numbers. */
export const numbers = (count, first = 1) =>
  Array.from({ length: count }, (_, index) => first + index);
