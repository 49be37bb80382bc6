import type { Mistake } from './mistake.js';

/** What a browser is shown in place of a response that there is not. */
export interface ErrorPage {
  /** What has failed: the routes, or a request. */
  readonly what: string;
  readonly mistake: Mistake;
  /** What else to say. */
  readonly note: string;
  /** What the page says, in a header field, to wait for a change. */
  readonly watch: readonly [name: string, value: string];
  /** Of its style and script (Content-Security-Policy). */
  readonly nonce: string;
}

/** The page, as HTML; everything of the application's is escaped. */
export function renderErrorPage({ what, mistake, note, watch, nonce }: ErrorPage): string {
  const { title, text, place, frame } = mistake;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${escapeHtml(title)} – wapix dev</title>
<style nonce="${nonce}">${STYLE}</style>
</head>
<body>
<main>
<p class="what">${escapeHtml(what)}</p>
<h1>${escapeHtml(title)}</h1>
${place ? `<p class="place"><code>${escapeHtml(place)}</code></p>` : ''}
${frame ? `<pre class="frame" tabindex="0"><code>${renderFrame(frame)}</code></pre>` : ''}
<pre class="text" tabindex="0"><code>${escapeHtml(text)}</code></pre>
<p class="note">${escapeHtml(note)} This page reloads by itself when a file has changed.</p>
</main>
<script nonce="${nonce}">(${RELOAD_AFTER_CHANGE})(${forScript(watch)})</script>
</body>
</html>
`;
}

/** Runs in the page: the response to such a request ends at the next change. */
const RELOAD_AFTER_CHANGE = `async ([name, value]) => {
  for (;;) {
    let response;
    try {
      response = await fetch(location.href, { headers: { [name]: value }, cache: 'no-store' });
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 500));
      continue;
    }
    try {
      const reader = response.body?.getReader();
      while (reader && !(await reader.read()).done);
    } catch {}
    return location.reload();
  }
}`;

const STYLE = `
:root { color-scheme: light dark; --text: #1c1d21; --dim: #5d616b; --back: #fff; --code: #f4f4f6; --mark: #c4183c; --markback: #fde8ec; }
@media (prefers-color-scheme: dark) {
  :root { --text: #ececf0; --dim: #a2a6b1; --back: #16171b; --code: #212329; --mark: #ff7a90; --markback: #40202a; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; border-top: 4px solid var(--mark); }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { margin: 0 0 1rem; font-size: 1.5rem; line-height: 1.25; color: var(--mark); overflow-wrap: anywhere; }
p { margin: 0 0 .5rem; overflow-wrap: anywhere; }
.what, .note { color: var(--dim); }
pre { margin: 0 0 1rem; padding: .75rem 0; background: var(--code); border-radius: 6px; overflow-x: auto; }
code { font: .875rem/1.6 ui-monospace, Menlo, Consolas, monospace; }
pre code { display: block; width: max-content; min-width: 100%; padding: 0 1rem; tab-size: 2; }
.text code { width: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
mark { display: inline-block; min-width: calc(100% + 2rem); margin: 0 -1rem; padding: 0 1rem; background: var(--markback); color: inherit; }
`;

/** The line that is meant stands out. */
function renderFrame(frame: string): string {
  return frame
    .split('\n')
    .map((line) => (line.startsWith('>') ? `<mark>${escapeHtml(line)}</mark>` : escapeHtml(line)))
    .join('\n');
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] as string);
}

/** JSON that does not end the script it is in. */
function forScript(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}
