// Whether wapix is where the goals want it.
import { figureOf } from '../lib/figures.mjs';
import { ratio } from '../lib/statistics.mjs';
import { TITLES } from '../lib/titles.mjs';
import { markdown, written } from './table.mjs';

const NAMES = {
  javascript: 'JavaScript thread, CPU/request',
  userJavascript: 'JavaScript thread, user-space/request',
  javascriptSeconds: 'JavaScript thread, CPU s',
};

function row({ title, results }, { server, figure, base, limit, isMost }) {
  const { median } = ratio(results[server], results[base], figure);
  const isMet = isMost ? median <= limit : median >= limit;
  return [
    title,
    TITLES[server],
    NAMES[figure] ?? figureOf(figure).label,
    `${isMost ? '≤' : '≥'} ${limit} of ${TITLES[base]}`,
    written(median, 2),
    isMet ? 'yes' : '**no**',
  ];
}

/** A row for each goal whose two servers took part. */
export function goalsTable(benchmarks) {
  const rows = benchmarks.flatMap((benchmark) =>
    benchmark.goals
      .filter(({ server, base }) => benchmark.results[server] && benchmark.results[base])
      .map((goal) => row(benchmark, goal)),
  );
  const met = rows.filter((cells) => cells.at(-1) === 'yes').length;
  return {
    met,
    of: rows.length,
    table: markdown(['benchmark', 'server', 'figure', 'goal', 'measured', 'met'], rows),
  };
}
