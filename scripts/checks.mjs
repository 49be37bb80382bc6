/** Runs every check, also after one that failed, and says which did. */
export function runChecks(checks) {
  const failed = [];
  for (const [name, check] of Object.entries(checks)) {
    process.stdout.write(`\n> ${name}\n`);
    if (!check()) failed.push(name);
  }
  process.stdout.write(
    failed.length > 0 ? `\nfailed: ${failed.join(', ')}\n` : '\nall checks hold\n',
  );
  process.exitCode = failed.length > 0 ? 1 : 0;
}
