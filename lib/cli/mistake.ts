import { show } from '../routes/show.js';
import { codeFrame, placeOf } from './frame.js';
import { describe } from './report.js';

/** What is to be mended, as plain data. */
export interface Mistake {
  /** An error's code or name. */
  readonly title: string;
  readonly text: string;
  /** `src/routes/get.ts:3:7` */
  readonly place?: string;
  readonly frame?: string;
}

/** What an error says, and where in the application's code it comes from. */
export function toMistake(error: unknown): Mistake {
  const [title = '', ...lines] = describe(error);
  const place = placeOf(error);
  const frame = place && codeFrame(place);
  return {
    title,
    text: lines.join('\n'),
    ...(place && { place: [show(place.file), place.line, place.column].filter(Boolean).join(':') }),
    ...(frame !== undefined && { frame }),
  };
}
