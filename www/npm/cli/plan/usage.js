// The help of `plan` and `apply`.

const FILE = `The file has features, products, and the features and prices of each product:

  features:
    - lookup_key: sms
      name: Text messages
  products:
    - id: pro            # or \`key\`, which is stored in the product's metadata
      name: Pro
      features: [sms]
      prices:
        - lookup_key: pro_monthly
          currency: usd
          unit_amount: 1500
          recurring: { interval: month }

Objects and fields that are not in the file are left alone.`;

const PRUNE = ["--prune", "archive and detach what is not in the file"];
const HOST = ["--host", "another address of the same API, such as https://api.stripe.com"];

/** @type {Record<string, { line: string, about: string, flags: string[][] }>} */
const COMMANDS = {
  plan: {
    line: "entgate plan <file> [flags]",
    about: "Show what a file would change. Changes nothing.",
    flags: [["--exit-code", "exit with 2 if there are changes"], PRUNE, HOST],
  },
  apply: {
    line: "entgate apply <file> [flags]",
    about: "Change the catalog as a file says. Shows the changes, and asks first.",
    flags: [["-c, --confirm", "skip the question"], PRUNE, HOST],
  },
};

/**
 * The help on `plan` or `apply`; undefined for any other topic.
 *
 * @param {string[]} topic
 * @returns {string | undefined}
 */
export function planHelp([name, another]) {
  const command = another === undefined && Object.hasOwn(COMMANDS, name ?? "") ? COMMANDS[name] : undefined;
  if (!command) return undefined;
  const flags = command.flags.map(([flag, about]) => `  ${flag.padEnd(15)}${about}`);
  return [command.about, "", "Usage:", `  ${command.line}`, "", "Flags:", ...flags, "", FILE].join("\n");
}
