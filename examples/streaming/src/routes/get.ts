import { type RequestHandler, text } from 'wapix';

const handler: RequestHandler = (req) => {
  const origin = `http://${req.headers.host}`;
  return text(`Streaming, by example:

  curl -N ${origin}/messages                    events of the whole application
  curl ${origin}/messages --json '{"from": "you", "text": "hello"}'
  curl ${origin}/status                         who listens
  curl -O ${origin}/downloads/notes.txt         a file, with its length
  curl ${origin}/static/index.html              a page for the messages, from a catch-all route
  curl ${origin}/readings.csv                   a CSV export
  curl ${origin}/readings.ndjson                JSON lines, read as fast as they are taken
  curl ${origin}/jobs --json '{"steps": 200}'   starts a long task
  curl -N ${origin}/jobs/1/progress             and watches it
`);
};

export default handler;
