// One server under one scenario's load: what a request costs it, and how many it answers.
import { start, used } from '../lib/server.mjs';
import { check } from './check.mjs';
import { h2load, wrk } from './load.mjs';

const WARM_UP_SECONDS = 1;

export async function measure(scenario, name, seconds) {
  const { protocol = 'http', routes = 0, requests } = scenario;
  const server = await start('requests/servers', name, {
    BENCH_PROTOCOL: protocol,
    BENCH_ROUTES: String(routes),
  });
  const origin = `${protocol === 'http' ? 'http' : 'https'}://127.0.0.1:${server.port}`;
  const tool = protocol === 'h2' ? h2load : wrk;
  const load = (length) => tool({ ...scenario, origin }, length);
  try {
    await check(name, protocol, origin, requests);
    await load(WARM_UP_SECONDS);
    const [before, userBefore] = [server.cpu(), server.userCpu()];
    const { requests: answered, ...loaded } = await load(seconds);
    const { total, javascript } = used(before, server.cpu());
    const user = used(userBefore, server.userCpu());
    await check(name, protocol, origin, requests);
    return {
      ...loaded,
      total: total / answered,
      javascript: javascript / answered,
      userTotal: user.total / answered,
      userJavascript: user.javascript / answered,
    };
  } finally {
    await server.stop();
  }
}
