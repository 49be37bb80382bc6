/** One event of an event stream. JSON text has no line breaks, so one `data` line holds it. */
export function event(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
