// The streaming guide: its TypeScript.

import test from 'ava';
import { check } from './helpers/guide-streaming-app.mjs';

const TYPE_CHECKS = {
  'node16, CommonJS': { type: 'commonjs', module: 'node16', moduleResolution: 'node16' },
  'bundler, without the DOM': {
    type: 'module',
    module: 'preserve',
    moduleResolution: 'bundler',
    lib: ['es2023'],
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    noUnusedLocals: true,
    noUnusedParameters: true,
  },
};

for (const [name, options] of Object.entries(TYPE_CHECKS)) {
  test(`the TypeScript of the guide type-checks, strict: ${name}`, async (t) => {
    const checked = check(t, options);
    await checked.exited;
    const failed = Array.from(checked.stdout.matchAll(/^\S.*?(?=\()/gm), ([file]) => file);
    t.deepEqual(failed, ['src/routes/wrong/get.ts'], checked.stdout);
  });
}
