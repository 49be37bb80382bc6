/**
 * What is known against the dependencies. It asks databases that change, and may be out of reach, so it
 * is no part of `npm run lint`.
 */
import { runChecks } from './checks.mjs';
import { fail, succeeds } from './run.mjs';

if (!succeeds('cargo', 'deny', '--version')) {
  fail('Run `cargo install cargo-deny --locked`, and this again.');
}

runChecks({
  // Advisories, licences, duplicates, sources: deny.toml says what passes.
  'cargo deny': () => succeeds('cargo', 'deny', '--locked', 'check'),
  'npm audit, what users install': () => succeeds('npm', 'audit', '--omit=dev'),
  // What is known against a tool is seldom a way in here.
  'npm audit, tools too': () => succeeds('npm', 'audit', '--audit-level=high'),
  // Of what is in node_modules: that the registry signed it.
  'npm audit signatures': () => succeeds('npm', 'audit', 'signatures'),
});
