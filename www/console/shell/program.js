// The program that a command line belongs to: how it is called in messages, its own commands, and where its server key comes from.
//
// The console's shell is one program, the command line of the npm package is another. Both have the commands that send requests.

/**
 * @typedef {object} Program
 * @property {string} name  The first word of a command in messages.
 * @property {Map<string, string>} commands  The program's own commands, with their description.
 * @property {string} keyHint  Where the server key comes from, for `--api-key`.
 * @property {string} modeHint  What determines the mode, for `--live`.
 * @property {string} missingKey  The message without a server key.
 * @property {string} stripeTriggerNote  How an event is triggered if the source is Stripe; `{event}` and `{arguments}` are replaced.
 * @property {string} usageNote  The last lines of the overview, above the hint on `help`.
 */

/** The console's shell. @type {Program} */
export const CONSOLE = {
  name: "stripe",
  commands: new Map([
    ["trigger", "trigger an event"],
    ["listen", "show events and outcomes as they arrive"],
    ["help", "show the commands, or the usage of one"],
    ["clear", "clear the screen"],
    ["version", "show the version"],
  ]),
  keyHint: "the key at the top of the page is sent with every request",
  modeHint: "the key at the top of the page determines the mode",
  missingKey: "No API key. Enter a server key at the top of the page; it is sent with every request.",
  stripeTriggerNote:
    "The source is Stripe, and its webhook secret must not be in a browser. Trigger the event with Stripe's CLI:\n  stripe trigger {event}\nIf this Worker runs on your machine, send it with:\n  node scripts/send-event.mjs {arguments}",
  usageNote: "The word “stripe” is optional. Tab completes a word, the arrow keys browse previous commands, Ctrl-C stops a command.",
};
