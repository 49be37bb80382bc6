// Markdown of what a benchmark gave.
import { figureOf } from '../lib/figures.mjs';
import { ratio, summary } from '../lib/statistics.mjs';
import { TITLES } from '../lib/titles.mjs';

function cell({ median, least, most }, digits) {
  const [middle, from, to] = [median, least, most].map((number) => written(number, digits));
  return `${middle} (${from}–${to})`;
}

export function written(number, digits) {
  return number.toLocaleString('en', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

export function markdown(header, rows) {
  return [header, header.map(() => '---'), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

/** A row for each server, with every figure and, where there is a base, the ratio to it. */
export function table({ results, figures, base }) {
  const header = figures.flatMap((figure) => {
    const { label } = figureOf(figure);
    return base ? [label, `/ ${TITLES[base]}`] : [label];
  });
  const rows = Object.entries(results).map(([server, rounds]) => [
    TITLES[server],
    ...figures.flatMap((figure) => {
      const value = cell(summary(rounds.map((round) => round[figure])), figureOf(figure).digits);
      if (!base) return [value];
      return [value, server === base ? '1' : cell(ratio(rounds, results[base], figure), 2)];
    }),
  ]);
  return markdown(['', ...header], rows);
}
