// What is asked and answered: the same for every server, and known to those who check the answers.

export const user = (id) => ({ id, name: 'Ada Lovelace' });

/** Tells that the order was parsed. */
export const receipt = (order) => ({ id: order.id, lines: order.lines.length });

export const caller = (authorization, requestId) => ({ authorization, requestId });

export const PAGE = 'All that we see or seem. '.repeat(410).slice(0, 10_240);
export const PLAIN_TEXT = 'text/plain; charset=utf-8';

/** 1 KB of JSON. */
export const ORDER = {
  id: '8c1f5a3e',
  customer: 'Ada Lovelace',
  lines: Array.from({ length: 15 }, (_, index) => ({
    article: `article-${1000 + index}`,
    quantity: index + 1,
    price: 9.95,
    gift: false,
  })),
};

/** Beside Host, so that there are 20. */
export const HEADERS = {
  Accept: 'application/json, text/plain, */*',
  'Accept-Encoding': 'gzip, deflate, br, zstd',
  'Accept-Language': 'en-GB,en;q=0.9,de;q=0.8',
  Authorization: 'Bearer 0c7b4f0e5e3d4d2f9a6b8c1d2e3f4a5b',
  'Cache-Control': 'no-cache',
  Cookie: 'session=5f2b9c; theme=dark; consent=all',
  DNT: '1',
  Origin: 'https://shop.example',
  Pragma: 'no-cache',
  Priority: 'u=1, i',
  Referer: 'https://shop.example/basket',
  'Sec-CH-UA': '"Chromium";v="140", "Not=A?Brand";v="24"',
  'Sec-CH-UA-Mobile': '?0',
  'Sec-CH-UA-Platform': '"Linux"',
  'Sec-Fetch-Dest': 'empty',
  'Sec-Fetch-Mode': 'cors',
  'Sec-Fetch-Site': 'same-origin',
  'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0',
  'X-Request-Id': '6b1d7c52-0a5e-4f0e-9a53-2f6f1f0c7d11',
};

/** The first segment of each of a thousand routes more, where the scenario is about them. */
export const COLLECTIONS = Array.from(
  { length: Number(process.env.BENCH_ROUTES ?? 0) },
  (_, index) => `collection-${index}`,
);

const WORK_MILLISECONDS = 0.02;

/** 20 µs of JavaScript, by the clock: as much in every engine. */
export function work() {
  const end = performance.now() + WORK_MILLISECONDS;
  while (performance.now() < end);
}
