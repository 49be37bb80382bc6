import { existsSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { causesOf, WapixError } from '../errors.js';

/** A place in a source file; lines and columns count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column?: number;
}

/** How many lines are shown before and after the one that is meant. */
const AROUND = 3;
/** What is left of a longer line. */
const WIDEST = 120;

/** Code that is not the application's: of Node, the packages it has installed, and wapix. */
const NOT_THEIRS = [/^node:/, /[\\/]node_modules[\\/]/];
/** Where wapix is not installed but linked, as in a clone of it. */
const WAPIX = ['dist', 'bin'].map((name) => join(__dirname, '../..', name, sep));

/** Whether a line of a stack is of somebody else's code than the application's. */
function isForeign(path: string): boolean {
  return (
    WAPIX.some((directory) => path.startsWith(directory)) ||
    NOT_THEIRS.some((pattern) => pattern.test(path))
  );
}

/** The first place in the application's code that an error, or one that it was made of, names. */
export function placeOf(error: unknown): Place | undefined {
  const causes = error instanceof WapixError ? causesOf(error) : [];
  return [...causes, error].map(firstPlace).find((place) => place !== undefined);
}

function firstPlace(error: unknown): Place | undefined {
  if (!(error instanceof Error)) return undefined;
  for (const line of `${error.message}\n${error.stack}`.split('\n')) {
    // Of transpiled code the lines are those of the source, but not the columns.
    const frame = /^\s+at (?:.* \()?(.+):(\d+):\d+\)?$/.exec(line);
    const [, path, row, column] = frame ?? /^\s*(.+?):(\d+)(?::(\d+))?$/.exec(line) ?? [];
    if (path === undefined) continue;
    const file = path.startsWith('file:') ? fileURLToPath(path) : path;
    if (isForeign(file) || !existsSync(file)) continue;
    return { file, line: Number(row), ...(column !== undefined && { column: Number(column) }) };
  }
  return undefined;
}

/** The lines around a place, the one that is meant marked; `undefined` where they cannot be read. */
export function codeFrame({ file, line, column }: Place): string | undefined {
  let lines: string[];
  try {
    lines = readFileSync(file, 'utf8').split(/\r?\n/);
  } catch {
    return undefined;
  }
  const first = Math.max(1, line - AROUND);
  const shown = lines.slice(first - 1, line + AROUND);
  while (shown.at(-1)?.trim() === '') shown.pop();
  const width = String(first + shown.length - 1).length;
  const frame = shown.flatMap((text, index) => {
    const number = first + index;
    const row = `${number === line ? '>' : ' '} ${String(number).padStart(width)} | ${cut(text)}`;
    const isIn = column !== undefined && column <= Math.min(text.length + 1, WIDEST);
    if (number !== line || !isIn) return [row.trimEnd()];
    const before = text.slice(0, column - 1).replace(/[^\t]/g, ' ');
    return [row.trimEnd(), `  ${' '.repeat(width)} | ${before}^`];
  });
  return shown.length < line - first + 1 ? undefined : frame.join('\n');
}

function cut(text: string): string {
  return text.length > WIDEST ? `${text.slice(0, WIDEST)}…` : text;
}
