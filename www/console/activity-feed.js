// What happened lately, as `/v1/activity` tells it: a list that is asked for once, and then for what is new.
//
// A journal is for people to look at. An entry may be missing from it, and says nothing then about what was decided.

const PAGE = 100; // The most a page has.
const CATCH_UP = 10; // Pages of news at a time: the journal has no more than these.
const KEPT = PAGE * CATCH_UP;

/** What can become of an event, or of a look at the source, with its colour. */
export const OUTCOMES = [
  { name: "applied", tone: "yes", means: "The set is what the event says." },
  { name: "confirmed", tone: "note", means: "The source was read, and agrees with what is held." },
  { name: "unchanged", tone: "none", means: "The event says what was held already." },
  { name: "duplicate", tone: "pale", means: "The event came before." },
  { name: "stale", tone: "maybe", means: "Something newer is held." },
  { name: "deferred", tone: "cyan", means: "The event does not say what is held: the list is read." },
  { name: "drift", tone: "no", means: "The source was read, and differed from what was held." },
];

/** The outcome of that name; one that is not known here has no colour. */
export function outcomeNamed(name) {
  return OUTCOMES.find((outcome) => outcome.name === name) ?? { name, tone: "none", means: "" };
}

/** A feed of one customer's entries or of everybody's. `entries` has the newest first. */
export function createFeed(desk, customer) {
  const page = (more, signal) =>
    desk.ask(`/v1/activity?${new URLSearchParams({ ...(customer && { customer }), limit: PAGE, ...more })}`, { signal });
  const rows = ({ body }) => (Array.isArray(body.data) ? body.data : []);
  const feed = {
    entries: [],
    /** Whether there is something older than what is here. */
    more: false,

    /** Asks for what is new, or for the first page. Gives the last reply, with the new entries as `news`. */
    async refresh(signal) {
      const news = [];
      for (let pages = 0; pages < CATCH_UP; pages += 1) {
        const newest = news[0] ?? feed.entries[0];
        const reply = await page(newest ? { ending_before: newest.id } : {}, signal);
        if (newest && reply.field === "ending_before") break;
        if (reply.problem) return { ...reply, news: [] };
        if (!newest) feed.more = reply.body.has_more === true;
        news.unshift(...rows(reply));
        if (!newest || reply.body.has_more !== true) {
          feed.entries = [...news, ...feed.entries].slice(0, KEPT);
          return { ...reply, news };
        }
      }
      // Too much happened to catch up with, or the journal is another one: from the start.
      feed.entries = [];
      return feed.refresh(signal);
    },

    /** Asks for a page of what is older. */
    async older(signal) {
      const reply = await page({ starting_after: feed.entries.at(-1).id }, signal);
      if (reply.problem) return reply;
      feed.more = reply.body.has_more === true;
      feed.entries.push(...rows(reply));
      return reply;
    },
  };
  return feed;
}
