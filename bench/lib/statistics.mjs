// What a few rounds say: the middle, and how far the rounds lie apart.

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function summary(numbers) {
  return { median: median(numbers), least: Math.min(...numbers), most: Math.max(...numbers) };
}

/**
 * A figure of one server as a part of another's. Each round is compared with itself, as its two
 * servers ran within seconds of each other.
 */
export function ratio(rounds, baseRounds, figure) {
  return summary(rounds.map((round, index) => round[figure] / baseRounds[index][figure]));
}

/** The median of each figure, by server, of what `interleave` returns. */
export function mediansOf(results) {
  return Object.fromEntries(
    Object.entries(results).map(([name, rounds]) => [
      name,
      Object.fromEntries(
        Object.keys(rounds[0]).map((figure) => [
          figure,
          median(rounds.map((round) => round[figure])),
        ]),
      ),
    ]),
  );
}
