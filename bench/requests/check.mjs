// Whether a server's answers are the right ones: status, media type and every byte.
import { once } from 'node:events';
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { connect as http2Connect } from 'node:http2';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { text } from 'node:stream/consumers';
import { cert } from './certificate.mjs';

const AGENT_OPTIONS = { keepAlive: true, maxSockets: 16 };

function http1(origin, Agent, request) {
  const agent = new Agent(AGENT_OPTIONS);
  return {
    async answer({ method = 'GET', path, headers, body }) {
      const sent = request(`${origin}${path}`, { method, headers, agent, ca: cert }).end(body);
      const [response] = await once(sent, 'response');
      return [response.statusCode, response.headers['content-type'], await text(response)];
    },
    close: () => agent.destroy(),
  };
}

function http2(origin) {
  const session = http2Connect(origin, { ca: cert });
  return {
    async answer({ path }) {
      const stream = session.request({ ':path': path });
      const [headers] = await once(stream, 'response');
      return [headers[':status'], headers['content-type'], await text(stream)];
    },
    close: () => session.close(),
  };
}

const CLIENTS = {
  http: (origin) => http1(origin, HttpAgent, httpRequest),
  https: (origin) => http1(origin, HttpsAgent, httpsRequest),
  h2: http2,
};

/** Asks each request once, and throws where an answer is another. */
export async function check(name, protocol, origin, requests) {
  const client = CLIENTS[protocol](origin);
  try {
    await Promise.all(
      requests.map(async (request) => {
        const [status, contentType = '', content] = await client.answer(request);
        const [mediaType] = contentType.split(';');
        const { answer } = request;
        if (status !== 200 || mediaType !== answer.type || content !== answer.content) {
          throw new Error(
            `${name} answered ${request.path} with ${status} ${contentType} ${content}`,
          );
        }
      }),
    );
  } finally {
    client.close();
  }
}
