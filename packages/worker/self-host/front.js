// The Worker that receives each request, for workerd without Cloudflare: it serves the files of the console, and passes every other
// request to entgate. It also calls entgate's `scheduled` every minute. At Cloudflare, assets and cron triggers do this; workerd has
// neither without `--experimental`.
//
// | binding            | content                                            |
// |--------------------|----------------------------------------------------|
// | `ENTGATE`          | entgate                                            |
// | `CONSOLE`          | the folder of the console                          |
// | `FILES`            | by path: the file, and the headers of its response |
// | `CLOCK`            | the class `Clock`                                  |
// | `CRON_INTERVAL_MS` | the time between two calls of `scheduled`          |

let isClockStarted = false;

export default {
  async fetch(request, env, context) {
    if (!isClockStarted) {
      isClockStarted = true;
      context.waitUntil(startClock(env));
    }
    const isRead = request.method === "GET" || request.method === "HEAD";
    const file = isRead && env.FILES[new URL(request.url).pathname];
    if (!file) return env.ENTGATE.fetch(request);
    const { body, status } = await env.CONSOLE.fetch(`http://console/${file.name}`, { method: request.method });
    return new Response(body, { status, headers: file.headers });
  },
};

/** Starts the clock. After a restart, its stored alarm does that without a request. */
async function startClock({ CLOCK }) {
  try {
    await CLOCK.get(CLOCK.idFromName("clock")).fetch("http://clock/");
  } catch (error) {
    isClockStarted = false;
    console.error(`failed to start the clock: ${error}. The next request starts it`);
  }
}

/** One object whose alarm goes off at each interval. A request to it sets the alarm. */
export class Clock {
  constructor(state, env) {
    this.storage = state.storage;
    this.env = env;
  }

  async fetch() {
    if ((await this.storage.getAlarm()) === null) await this.setAlarm();
    return new Response();
  }

  async alarm() {
    // Set before the work, so that a failure does not stop the clock.
    await this.setAlarm();
    try {
      await this.env.ENTGATE.scheduled({ cron: "* * * * *", scheduledTime: Date.now() });
    } catch (error) {
      console.error(`failed to run the scheduled work: ${error}. It runs again after the interval`);
    }
  }

  setAlarm() {
    return this.storage.setAlarm(Date.now() + this.env.CRON_INTERVAL_MS);
  }
}
