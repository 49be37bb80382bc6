import { html, type RequestHandler } from 'wapix';

const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>hello</title>
<h1>wapix serves this page</h1>
<ul>
  <li><a href="/users/1">GET /users/1</a>: JSON
  <li><a href="/users/0">GET /users/0</a>: not found
  <li>POST /users with <code>{"name": "Grace"}</code>: created
  <li><a href="/events">GET /events</a>: an event stream. The server's time is <output></output>
</ul>
<script>
  const output = document.querySelector('output');
  new EventSource('/events').onmessage = ({ data }) => {
    output.textContent = data;
  };
</script>
`;

const handler: RequestHandler = () => html(page);

export default handler;
