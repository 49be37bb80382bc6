/** What a directory's name means in a path. */
export type Segment =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'parameter' | 'catch-all'; readonly name: string }
  | { readonly kind: 'invalid'; readonly reason: string };

const PARAMETER_NAME = /^[\p{L}\p{N}_-]+$/u;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const NOT_IN_A_SEGMENT = /[\\%?#[\]\u0000-\u001f\u007f]/;

/** Reads the name of a directory under the routes directory as a segment. */
export function readSegment(name: string): Segment {
  if (name.startsWith('$')) return readWildcard(name);
  if (name.startsWith(':') || name.startsWith('*')) {
    return invalid(`a parameter's directory begins with "$": $${name.slice(1) || 'name'}`);
  }
  const brackets = /^\[(\.\.\.)?([^[\]]+)\]$/.exec(name);
  if (brackets) {
    return invalid(`a parameter's directory begins with "$": $${brackets[1] ?? ''}${brackets[2]}`);
  }
  const character = NOT_IN_A_SEGMENT.exec(name)?.[0];
  if (character !== undefined) {
    return invalid(`${JSON.stringify(character)} cannot be part of a path segment`);
  }
  return { kind: 'literal', text: name };
}

/** The segment as `createServer`'s patterns write it. */
export function toPattern(segment: Exclude<Segment, { kind: 'invalid' }>): string {
  if (segment.kind === 'literal') return segment.text;
  return `${segment.kind === 'parameter' ? ':' : '*'}${segment.name}`;
}

function readWildcard(directory: string): Segment {
  const kind = directory.startsWith('$...') ? 'catch-all' : 'parameter';
  const name = directory.slice(kind === 'catch-all' ? 4 : 1);
  if (name === '') return invalid(`the parameter has no name: ${directory}name`);
  if (!PARAMETER_NAME.test(name)) {
    return invalid(`a parameter's name is letters, digits, "_" and "-" only`);
  }
  return { kind, name };
}

function invalid(reason: string): Segment {
  return { kind: 'invalid', reason };
}
