/** How long a slice is, in characters, that V8 does not copy anyway. */
const SLICED_FROM = 13;

/** Latin-1 text in memory of its own, where V8 would keep all of the batch that it is a slice of. */
export function ownText(text: string): string {
  if (text.length < SLICED_FROM) return text;
  return Buffer.from(text, 'latin1').toString('latin1');
}
