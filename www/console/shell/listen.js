// `listen`: events as the catalog sends them, and what this Worker decides on each, until it is called off.

import { outcomeNamed } from "../activity-feed.js";

const PAUSE_MS = 1_000;
const PAGE = "100";

export async function listen({ customer, events }, { desk, screen, signal }) {
  const wanted = (type) => events.includes("*") || events.includes(type);
  const tails = [];
  if (desk.source === "catalog") {
    tails.push(
      tail(desk, "/v1/events", {}, (event) => {
        if (wanted(event.type) && !customer)
          screen.row([stamp(event.created * 1_000), "soft"], ["   --> ", "soft"], [event.type], [` [${event.id}]`, "soft"]);
      }),
    );
  }
  tails.push(
    tail(desk, "/v1/activity", { customer }, ({ at, event, outcome, customer, version }) => {
      screen.row(
        [stamp(at), "soft"],
        ["  <--  ", "soft"],
        [outcome, outcomeNamed(outcome).tone],
        [` ${customer} version ${version}`],
        [event ? ` [${event}]` : "", "soft"],
      );
    }),
  );

  for (const each of tails) {
    const problem = await each.start(signal);
    if (signal.aborted) return;
    if (problem) return screen.say(problem, "no");
  }
  screen.say(
    `Ready! ${desk.source === "catalog" ? "Events (-->) and what is decided (<--)" : "What is decided (<--)"}, as they come (^C to quit)`,
    "yes",
  );
  let troubled;
  while (!signal.aborted) {
    await sleep(PAUSE_MS, signal);
    for (const each of tails) {
      const problem = await each.next(signal);
      if (problem && problem !== troubled && !signal.aborted) screen.say(problem, "no");
      troubled = problem;
    }
  }
}

/** A list that grows at its beginning: what is new in it since it was started. */
function tail(desk, path, params, show) {
  let newest;
  const ask = (more, signal) => {
    const given = Object.entries({ ...params, ...more }).filter(([, value]) => value !== undefined);
    return desk.ask(`${path}?${new URLSearchParams(given)}`, { signal });
  };
  return {
    async start(signal) {
      const { body, problem } = await ask({ limit: "1" }, signal);
      newest = body.data?.[0]?.id;
      return problem;
    },
    async next(signal) {
      for (let more = true; more && !signal.aborted; ) {
        const { body, problem } = await ask({ limit: PAGE, ending_before: newest }, signal);
        if (problem) return problem;
        for (const item of body.data.toReversed()) show(item);
        more = body.has_more && newest !== undefined;
        newest = body.data[0]?.id ?? newest;
      }
      return undefined;
    },
  };
}

function sleep(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}

/** The reader's time, as Stripe's CLI writes it. */
function stamp(ms) {
  const date = new Date(ms);
  const two = (number) => String(number).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
