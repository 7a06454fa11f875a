// What an event costs that is kept: by the ledger's objects, or in KV alone.
//
// | work                       | an event about                                                                        |
// |----------------------------|---------------------------------------------------------------------------------------|
// | webhook of a new customer  | somebody nobody heard of: with the word to the roster, a second later                 |
// | webhook, object asleep     | somebody whose object has left memory, as it does after ten seconds                   |
// | webhook                    | somebody who had one two seconds ago                                                  |
// | webhook, part by part      | the same, of a ledger in JavaScript that does a part more each time                   |

import { measure, sleep, spend } from "./interleave.mjs";
import { eventOfEach } from "./workloads.mjs";

const ROUNDS = Number(process.env.EVENT_ROUNDS ?? 5);
const EVENTS = Number(process.env.EVENTS ?? 150);

/** Until the roster was told, in milliseconds. */
const REPORTED = 1_600;

/** Until the journal was told, in milliseconds. */
const NOTED = 200;

/** Until KV takes the next copy of a customer, in milliseconds. */
const NEXT_COPY = 1_100;

/** Until an object is asleep, in milliseconds: workerd lets it go after 10 s. */
const ASLEEP = 13_000;

/** Each round is dear, and begins with customers of its own. */
const WARM_UP = 1;

const PARTS = ["tables", "copy", "alarm", "changes", "journal", "roster"];

export const ALL = PARTS.join();

/** By name, what the contender in JavaScript does: a part more each time. */
export const GROWING = Object.fromEntries([
  ["a call of the object", ""],
  ...PARTS.map((part, at) => [`+ ${part}`, PARTS.slice(0, at + 1).join()]),
]);

/** Tells `note` what each work took; `running` are the Workers by name. */
export async function ledgers(running, names, note) {
  const ways = (names) => names.map((name) => ({ name }));
  const once =
    (after, prefix) =>
    ({ name }, round) =>
      spend(running[name], eventOfEach(`${prefix}_${round}`, EVENTS), 200, after);
  const awake =
    (prefix) =>
    async ({ name }, round) => {
      await spend(running[name], eventOfEach(`${prefix}_${round}`, EVENTS), 200, NEXT_COPY);
      return once(NOTED, prefix)({ name }, round);
    };
  note("webhook of a new customer", names, await measure(ways(names), ROUNDS, once(REPORTED, "kept"), WARM_UP));
  await sleep(ASLEEP);
  note("webhook, object asleep", names, await measure(ways(names), ROUNDS, once(NOTED, "kept"), WARM_UP));
  note("webhook", names, await measure(ways(names), ROUNDS, awake("kept"), WARM_UP));
  const growing = Object.keys(GROWING);
  note("webhook, part by part", growing, await measure(ways(growing), ROUNDS, awake("parts"), WARM_UP));
}
