// What the command line says of itself: its own commands, and where its server key comes from.

export const KEY_VARIABLE = "ENTGATE_KEY";
export const URL_VARIABLE = "ENTGATE_URL";
export const DEFAULT_URL = "http://localhost:8787";

/** @type {import("../../console/shell/program.js").Program} */
export const COMMAND_LINE = {
  name: "entgate",
  commands: new Map([
    ["plan", "show what a file of features, products and prices would change"],
    ["apply", "change the catalog as a file says"],
    ["trigger", "trigger an event"],
    ["listen", "show events and outcomes as they arrive"],
    ["help", "show the commands, or the usage of one"],
    ["version", "show the version"],
  ]),
  keyHint: `the key is read from the environment variable ${KEY_VARIABLE}: other users of this machine can see arguments`,
  modeHint: `the key in ${KEY_VARIABLE} determines the mode`,
  missingKey: `No API key. Set the environment variable ${KEY_VARIABLE} to a server key; it is sent with every request.`,
  stripeTriggerNote: "The source is Stripe. Trigger the event with Stripe's CLI:\n  stripe trigger {event}",
  usageNote: [
    `The server key is read from ${KEY_VARIABLE}, the address of entgate from ${URL_VARIABLE} (${DEFAULT_URL}).`,
    "--host <url> sends the requests of one command to another address.",
  ].join("\n"),
};
