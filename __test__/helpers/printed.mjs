import { readFileSync } from 'node:fs';

const PAGE = new URL('../spec/streaming.md', import.meta.url);

/** The route files that the published page prints, by their path. */
export function printedRoutes() {
  const blocks = page().matchAll(/^```typescript\n(\/\/ (src\/routes\/\S+)\n[\s\S]*?)^```$/gm);
  return Object.fromEntries(Array.from(blocks, ([, source, path]) => [path, source]));
}

/** The web page that the published page prints, for the server at `origin`. */
export function printedHtml(origin) {
  const [, html] = /^```html\n([\s\S]*?)^```$/m.exec(page());
  return html.replace('http://localhost:3000', origin);
}

/** The consumer of events that it prints, as JavaScript: Node's `fetch` has the reader it uses. */
export function printedClient(origin) {
  const [, source] = /^```typescript\nimport fetch from 'node-fetch';\n([\s\S]*?)^```$/m.exec(
    page(),
  );
  return source.replace('http://localhost:3000', origin).replace('body!', 'body');
}

function page() {
  return readFileSync(PAGE, 'utf8');
}

/**
 * Every fenced block of `markdown`, with the chapter it is in, and the file it says to be by its first line
 * (`// src/routes/get.ts`, `# /etc/app.conf`), if it does.
 */
export function fencedBlocks(markdown) {
  let chapter;
  return Array.from(markdown.matchAll(/^## (.*)$|^```(.*)\n([\s\S]*?)^```$/gm), (match) => {
    const [, heading, language, source] = match;
    chapter = heading ?? chapter;
    if (heading !== undefined) return [];
    const [, path] = /^(?:\/\/|#) (\S+\.\w+)\n/.exec(source) ?? [];
    return { chapter, language, path, source };
  }).flat();
}

/** What the routes of the page import, as little as will do. */
export const IMPORTED = {
  'src/lib/events.ts': `
    import { EventEmitter } from 'node:events';
    export const eventBus = new EventEmitter();
  `,
  'src/lib/tasks.ts': `
    import { EventEmitter } from 'node:events';
    export class Task extends EventEmitter {
      status = 'waiting';
    }
    export const taskManager = new Map<string, Task>();
  `,
  'src/db.ts': `
    interface User { id: number; name: string; email: string; createdAt: string }
    interface Log { level: string; message: string }
    interface Row { id: number; text: string }
    const users: User[] = [
      { id: 1, name: 'Ada', email: 'ada@example.org', createdAt: '2026-01-01' },
      { id: 2, name: 'Zoë', email: 'zoe@example.org', createdAt: '2026-01-02' },
    ];
    const logs: Log[] = Array.from({ length: 50 }, (_, index) => ({ level: 'info', message: 'line ' + index }));
    const rows: Row[] = Array.from({ length: 950 }, (_, index) => ({ id: index, text: 'é'.repeat(150) }));
    export const db = {
      users: { getAll: () => users },
      logs: { getAll: () => logs },
      records: {
        getBatch: async (cursor: number, size: number) => rows.slice(cursor, cursor + size),
      },
    };
  `,
};

/** Routes of ours by which a test drives those of the page, in the same process. */
export const DRIVING = {
  'src/routes/driving/emit/$event/post.ts': `
    import { json, type RequestHandler } from 'wapix';
    import { eventBus } from '../../../../lib/events';
    const handler: RequestHandler<{ event: string }> = ({ params, body }) =>
      json(eventBus.emit(params.event, body));
    export default handler;
  `,
  'src/routes/driving/state/get.ts': `
    import { json, type RequestHandler } from 'wapix';
    import { eventBus } from '../../../lib/events';
    const handler: RequestHandler = () =>
      json({
        listeners: eventBus.listenerCount('update') + eventBus.listenerCount('message'),
        timers: process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length,
      });
    export default handler;
  `,
  'src/routes/driving/tasks/$taskId/put.ts': `
    import { noContent, type RequestHandler } from 'wapix';
    import { Task, taskManager } from '../../../../lib/tasks';
    const handler: RequestHandler<{ taskId: string }> = ({ params }) => {
      taskManager.set(params.taskId, new Task());
      return noContent();
    };
    export default handler;
  `,
  'src/routes/driving/tasks/$taskId/$event/post.ts': `
    import { json, type RequestHandler } from 'wapix';
    import { taskManager } from '../../../../../lib/tasks';
    const handler: RequestHandler<{ taskId: string; event: string }> = ({ params, body }) => {
      const value = params.event === 'error' ? new Error(String(body)) : body;
      return json(taskManager.get(params.taskId)?.emit(params.event, value));
    };
    export default handler;
  `,
};

/** Loaded first: the page's files are under /uploads, a test's are elsewhere. */
export const UPLOADS_ELSEWHERE = `
  const fs = require('node:fs');
  const { join } = require('node:path');
  const elsewhere = (path) => String(path).replace(/^[\\\\/]uploads(?=[\\\\/])/, join(__dirname, 'uploads'));
  for (const name of ['existsSync', 'statSync', 'createReadStream']) {
    const original = fs[name];
    fs[name] = (path, ...rest) => original.call(fs, elsewhere(path), ...rest);
  }
  require('node:module').syncBuiltinESMExports();
`;
