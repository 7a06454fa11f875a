// What of the output of `wrangler dev` is printed: requests, logs of the Worker, warnings and errors.
//
// Accepts text in pieces, passes lines on. Left out is what wrangler prints at every start: its tables of bindings and modules, and a hint
// about cron triggers, which entgate does not need locally. A line that is not known is printed.

const LEFT_OUT = [
  /^\s*⛅/,
  /^─+$/,
  /^\[custom build\] Running: /,
  /^Using secrets defined in /,
  /^Your Worker has access to the following bindings:/,
  /^Binding +Resource +Mode/,
  /^env\.\w+ /,
  /^Attaching additional modules:/,
  /^[┌│├└]/,
  /^⎔ /,
  /^\[wrangler:info\] (✨ Parsed|Ready on) /,
  /Scheduled Workers are not automatically triggered during local development/,
  /^\s*To manually trigger a scheduled event, run:/,
  /^\s*curl "http:\/\/[^ ]*\/cdn-cgi\/local\/scheduled"/,
  /^\s*For more details, see .*#test-cron-triggers-locally/,
];

/** A request in wrangler's log, and a decision in the Worker's. */
const REQUEST = /^(\[wrangler:info\] [A-Z]+ \/|\{"message":"decision",)/;

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences of colours begin with one
const COLOURS = /\u001b\[[0-9;]*m/g;

/**
 * @param {(line: string) => void} print
 */
export function createOutputFilter(print) {
  let rest = "";
  let showsRequests = false;
  // A blank line is printed only between lines that are.
  let blank = false;
  let isAfterPrinted = false;

  /** @param {string} line */
  const handle = (line) => {
    const text = line.replace(COLOURS, "").trimEnd();
    if (text === "") {
      blank = isAfterPrinted;
      return;
    }
    if (LEFT_OUT.some((pattern) => pattern.test(text)) || (!showsRequests && REQUEST.test(text))) {
      isAfterPrinted = false;
      blank = false;
      return;
    }
    if (blank) print("");
    print(line);
    blank = false;
    isAfterPrinted = true;
  };

  return {
    /** @param {string} text */
    write(text) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) handle(line);
    },
    end() {
      if (rest) handle(rest);
      rest = "";
    },
    /** From now on, requests are printed too. */
    showRequests() {
      showsRequests = true;
    },
  };
}
