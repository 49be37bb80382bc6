/** What is measured: as the tables call it, and with how many digits they write it. */
const FIGURES = {
  perSecond: { label: 'requests/s', digits: 0 },
  total: { label: 'CPU µs/request', digits: 2 },
  javascript: { label: 'of it JavaScript thread', digits: 2 },
  userTotal: { label: 'user-space µs/request', digits: 2 },
  userJavascript: { label: 'of it JavaScript thread', digits: 2 },
  seconds: { label: 'CPU s', digits: 2 },
  besideSeconds: { label: 'CPU s beside', digits: 2 },
  secondsRatio: { label: 'CPU s, beside / alone', digits: 2 },
  duration: { label: 's', digits: 2 },
  besideDuration: { label: 's beside', digits: 2 },
  durationRatio: { label: 's, beside / alone', digits: 2 },
  javascriptSeconds: { label: 'of it JavaScript thread', digits: 3 },
  p50: { label: 'p50 µs', digits: 0 },
  kibibytes: { label: 'KiB/connection', digits: 1 },
  milliseconds: { label: 'ms', digits: 0 },
};

/** A number of connections is what a request costs with as many open. */
export function figureOf(name) {
  return FIGURES[name] ?? { label: Number(name).toLocaleString('en'), digits: 2 };
}
