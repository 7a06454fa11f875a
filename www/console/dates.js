// Times in Unix seconds as text, in the reader's time zone, and the values of inputs for them. Pure functions.

/**
 * A timestamp in words.
 *
 * @param {number} seconds  Since 1970.
 * @param {Intl.DateTimeFormatOptions} [style]
 * @returns {string}
 */
export function formatTime(seconds, style = { dateStyle: "medium", timeStyle: "medium" }) {
  return new Date(seconds * 1000).toLocaleString(undefined, style);
}

/** @type {[unit: Intl.RelativeTimeFormatUnit, seconds: number][]} */
const TIME_UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];

/**
 * How long ago a timestamp is, in words.
 *
 * @param {number} seconds  Since 1970.
 * @param {number} [now]
 * @returns {string}
 */
export function relativeTime(seconds, now = Date.now() / 1000) {
  const elapsed = Math.max(0, now - seconds);
  const [unit, size] = TIME_UNITS.find(([, size]) => elapsed >= size) ?? ["second", 1];
  return new Intl.RelativeTimeFormat("en", { numeric: "auto" }).format(-Math.floor(elapsed / size), unit);
}

/**
 * In how long a timestamp is, in words: “in 47 hours”, “in 2 days”.
 *
 * @param {number} seconds  Since 1970.
 * @param {number} [now]
 * @returns {string}
 */
export function timeUntil(seconds, now = Date.now() / 1000) {
  const rest = Math.max(0, seconds - now);
  const [unit, size] = TIME_UNITS.find(([, size]) => rest >= 2 * size) ?? ["second", 1];
  return new Intl.RelativeTimeFormat("en").format(Math.floor(rest / size), unit);
}

/**
 * Parses the value of an input of the type `datetime-local`, which is in the reader's time zone.
 *
 * @param {string} value
 * @returns {number | undefined}  In Unix seconds; undefined if the input is empty.
 */
export function parseInputTime(value) {
  const milliseconds = new Date(value).getTime();
  return Number.isNaN(milliseconds) ? undefined : Math.floor(milliseconds / 1000);
}
