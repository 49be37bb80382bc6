import { defineConfig } from 'vitepress';

const page = (text, link) => ({ text, link });

export default defineConfig({
  title: 'wapix',
  description: 'Routes are files, handlers are typed functions, and responses can stream.',
  cleanUrls: true,
  lastUpdated: false,
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      page('Guide', '/guide/getting-started'),
      page('Reference', '/reference/routes'),
      page('Benchmarks', '/benchmarks'),
    ],
    sidebar: [
      {
        text: 'Guide',
        items: [
          page('Getting started', '/guide/getting-started'),
          page('Types from the file tree', '/guide/types'),
          page('Middleware', '/guide/middleware'),
          page('Streaming', '/guide/streaming'),
          page('Channels', '/guide/channels'),
          page('Testing', '/guide/testing'),
          page('Deployment', '/guide/deployment'),
        ],
      },
      {
        text: 'Migration',
        items: [
          page('From Express', '/guide/from-express'),
          page('From Fastify', '/guide/from-fastify'),
          page('From Hono', '/guide/from-hono'),
        ],
      },
      {
        text: 'Reference',
        items: [
          page('Routes', '/reference/routes'),
          page('Handlers', '/reference/handlers'),
          page('Request', '/reference/request'),
          page('Results', '/reference/results'),
          page('Channels', '/reference/channels'),
          page('Server', '/reference/server'),
          page('Command line', '/reference/command-line'),
          page('Errors', '/reference/errors'),
          page('Security', '/reference/security'),
          page('Compatibility', '/reference/compatibility'),
        ],
      },
      {
        text: 'Figures',
        items: [
          page('Benchmarks', '/benchmarks'),
          page('Benchmarks of streams', '/benchmarks-streams'),
          page('Benchmarks of channels', '/benchmarks-channels'),
        ],
      },
      {
        text: 'Internals',
        items: [
          page('The way of a request', '/internals/request'),
          page('The bridge', '/internals/bridge'),
          page('Threads', '/internals/threads'),
          page('Where the time goes', '/internals/performance'),
        ],
      },
    ],
  },
  markdown: {
    anchor: { slugify },
    config: (md) => md.core.ruler.push('outside', withoutOutside),
  },
});

/** What GitHub makes of a heading: links to it work in both places. */
function slugify(heading) {
  const words = heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '');
  return words.trim().replace(/\s/g, '-');
}

/** A link to a file of the repository leads nowhere on the site: its text is left. */
function withoutOutside({ tokens, env }) {
  for (const token of tokens) {
    let inside = true;
    token.children =
      token.children?.filter(({ type, attrs }) => {
        if (type === 'link_open') {
          const [, href] = attrs.find(([name]) => name === 'href');
          const { protocol, pathname } = new URL(href, `file:///docs/${env.relativePath}`);
          inside = protocol !== 'file:' || pathname.startsWith('/docs/');
        }
        return inside || !type.startsWith('link_');
      }) ?? null;
  }
}
