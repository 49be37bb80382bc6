import { format } from 'node:util';

const entries = [];

/** Keeps what this file's tests log as errors, instead of printing it. */
export function captureErrors() {
  console.error = (...values) => entries.push(format(...values));
}

/** What was logged that names `what`, a path for instance. */
export function errorsNaming(what) {
  return entries.filter((entry) => entry.includes(what));
}
