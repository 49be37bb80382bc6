/**
 * Runs API tests on a binding that checks every access to memory: `npm run asan [ava's arguments]`.
 * Linux with glibc, nightly Rust, and the AddressSanitizer of gcc.
 */
import { copyFileSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { output, run } from './run.mjs';

const TARGET = `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-unknown-linux-gnu`;
const DIRECTORY = 'target/asan';

/** The tests that send bytes through the binding, but for those that measure or start processes. */
const TESTS = [
  ...['bodies', 'chunks', 'disconnect', 'files', 'files-failed', 'framing'],
  ...['malformed', 'multipart', 'pipeline', 'request', 'sources', 'streams'],
];

process.env.CARGO_TARGET_DIR = DIRECTORY;
process.env.RUSTFLAGS = '-Zsanitizer=address';
// With `--target` build scripts and macros, which run in cargo and rustc, are built without it.
run('cargo', '+nightly', 'build', '--locked', '--lib', '--target', TARGET);
const binding = resolve(DIRECTORY, 'wapix.node');
// Not written over: a process that runs may have it mapped.
rmSync(binding, { force: true });
copyFileSync(resolve(DIRECTORY, TARGET, 'debug/libwapix.so'), binding);

process.env.NAPI_RS_NATIVE_LIBRARY_PATH = binding;
// Node is built without it, so it comes from outside, before every other library.
process.env.LD_PRELOAD = output('gcc', '-print-file-name=libasan.so').trim();
// Node frees little of its own memory at its end.
process.env.ASAN_OPTIONS = 'detect_leaks=0';
const named = process.argv.slice(2);
const words = named.length > 0 ? named : TESTS.map((name) => `__test__/${name}.spec.mjs`);
// All is slow, and the deadlines of the tests stay what they are.
run('ava', '--timeout=180s', '--concurrency=1', ...words);
