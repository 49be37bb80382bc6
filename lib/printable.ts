/** A URL crosses as bytes, each a character: what a terminal would take for a command must not get there. */
export function printable(url: string): string {
  return url.replace(/[^ -~]/g, escapeByte);
}

function escapeByte(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}
