// The public functions are what `index.d.ts` says they are: a difference does not compile.
import type * as contract from '../../index.js';
import type * as lib from '../../lib/index.js';

declare const exported: typeof lib;
exported satisfies typeof contract;
