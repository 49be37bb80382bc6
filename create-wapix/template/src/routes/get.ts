import { html } from 'wapix';
import type { RequestHandler } from './$types.js';

const page = `<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width">
  <title>{{name}}</title>
  <link rel="icon" href="data:,">
  <style>
    body { font: 1.1rem/1.6 system-ui; max-width: 32rem; margin: 4rem auto; padding: 0 1rem; }
    output { font-variant-numeric: tabular-nums; }
  </style>
  <h1>{{name}}</h1>
  <p>It is <output>…</output>, says the server.</p>
  <p>Edit <code>src/routes/get.ts</code>, or try <a href="/hello/Ada">/hello/Ada</a>.</p>
  <script>
    new EventSource('/events').onmessage = ({ data }) => {
      document.querySelector('output').textContent = new Date(data).toLocaleTimeString();
    };
  </script>
</html>
`;

const handler: RequestHandler = () => html(page);

export default handler;
