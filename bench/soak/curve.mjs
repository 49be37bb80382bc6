const MEBIBYTE = 1024 * 1024;

export const inMebibytes = (bytes) => (bytes / MEBIBYTE).toFixed(1);

export function duration(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/** At most so many of `curve`, evenly, the last among them. */
export function points(curve, most) {
  const step = Math.max(1, Math.ceil(curve.length / most));
  return curve.filter((_, index) => (curve.length - 1 - index) % step === 0);
}

/** By how much y grows for each x: the line that fits best. */
export function slope(pairs) {
  const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
  const [meanX, meanY] = [mean(pairs.map(([x]) => x)), mean(pairs.map(([, y]) => y))];
  const along = pairs.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const across = pairs.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return across === 0 ? 0 : along / across;
}
