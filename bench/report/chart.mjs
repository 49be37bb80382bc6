// Horizontal bars of the CPU time of a request, a group for each benchmark that tells the threads apart.
import { median } from '../lib/statistics.mjs';
import { TITLES } from '../lib/titles.mjs';

const WIDTH = 760;
const LABELS = 150;
const VALUES = 60;
const BAR = 14;
const ROW = 19;
const TITLE = 30;
const LEGEND = 28;

const STYLE = `
text { font: 12px system-ui, sans-serif; fill: #1f2328; }
.title, .own { font-weight: 600; }
.javascript { fill: #2f6fd0; }
.others { fill: #9fc2f3; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .javascript { fill: #4d8fef; }
  .others { fill: #2c4a75; }
}`;

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

const text = (x, y, content, name = '') =>
  `<text x="${x}" y="${y}" class="${name}">${escaped(content)}</text>`;

const bar = (x, y, width, name) =>
  `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" class="${name}"/>`;

function group({ title, results }, top, scale) {
  const rows = Object.entries(results).map(([server, rounds]) => ({
    server,
    total: median(rounds.map(({ total }) => total)),
    javascript: median(rounds.map(({ javascript }) => javascript)),
  }));
  rows.sort((a, b) => a.total - b.total);
  const bars = rows.map(({ server, total, javascript }, index) => {
    const y = top + TITLE + index * ROW;
    const own = server.startsWith('wapix') ? 'own' : '';
    const [first, whole] = [javascript * scale, total * scale];
    return [
      text(0, y + BAR - 3, TITLES[server], own),
      bar(LABELS, y, first, 'javascript'),
      bar(LABELS + first, y, Math.max(0, whole - first), 'others'),
      text((LABELS + whole + 6).toFixed(1), y + BAR - 3, total.toFixed(1), own),
    ].join('');
  });
  return [text(0, top + TITLE - 10, title.replaceAll('`', ''), 'title'), ...bars].join('\n');
}

function legend() {
  return [
    text(0, 13, 'CPU µs/request', 'title'),
    bar(LABELS, 2, BAR, 'javascript'),
    text(LABELS + 20, 13, 'JavaScript thread'),
    bar(LABELS + 140, 2, BAR, 'others'),
    text(LABELS + 160, 13, 'other threads'),
  ].join('');
}

/** The chart as SVG, light or dark as whoever looks at it. */
export function chart(benchmarks) {
  const shown = benchmarks.filter(({ figures }) => figures.includes('javascript'));
  const totals = shown.flatMap(({ results }) =>
    Object.values(results).map((rounds) => median(rounds.map(({ total }) => total))),
  );
  const scale = (WIDTH - LABELS - VALUES) / Math.max(...totals);
  let height = LEGEND;
  const groups = shown.map((benchmark) => {
    const top = height;
    height += TITLE + Object.keys(benchmark.results).length * ROW;
    return group(benchmark, top, scale);
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="CPU time per request">
<style>${STYLE}</style>
${[legend(), ...groups].join('\n')}
</svg>
`;
}
