// The Worker that receives each request, for workerd without Cloudflare: it serves the files of the console, and passes every other
// request to entgate. It also calls entgate's `scheduled` every minute. At Cloudflare, assets and cron triggers do this; workerd has
// neither without `--experimental`.
//
// | binding   | content                                                 |
// |-----------|---------------------------------------------------------|
// | `ENTGATE` | entgate                                                 |
// | `CONSOLE` | the folder of the console                               |
// | `FILES`   | by path: the file, and the headers of its response      |
// | `CLOCK`   | the class `Clock`                                       |

const MINUTE_MS = 60_000;

let isClockStarted = false;

export default {
  async fetch(request, env, context) {
    if (!isClockStarted) {
      isClockStarted = true;
      // The alarm of an earlier process is stored, and starts the clock without a request.
      context.waitUntil(env.CLOCK.get(env.CLOCK.idFromName("clock")).fetch("http://clock/"));
    }
    const isRead = request.method === "GET" || request.method === "HEAD";
    const file = isRead && env.FILES[new URL(request.url).pathname];
    if (!file) return env.ENTGATE.fetch(request);
    const { body, status } = await env.CONSOLE.fetch(`http://console/${file.name}`, { method: request.method });
    return new Response(body, { status, headers: file.headers });
  },
};

/** One object whose alarm goes off every minute. A request to it sets the alarm. */
export class Clock {
  constructor(state, env) {
    this.storage = state.storage;
    this.env = env;
  }

  async fetch() {
    if ((await this.storage.getAlarm()) === null) await this.storage.setAlarm(Date.now() + MINUTE_MS);
    return new Response();
  }

  async alarm() {
    // Set before the work, so that a failure does not stop the clock.
    await this.storage.setAlarm(Date.now() + MINUTE_MS);
    await this.env.ENTGATE.scheduled({ cron: "* * * * *", scheduledTime: Date.now() });
  }
}
