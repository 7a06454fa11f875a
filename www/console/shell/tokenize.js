// Splits a command line into words as a POSIX shell does: at whitespace, except inside quotes or after a backslash. Pure functions.

/**
 * Splits a line into words.
 *
 * @param {string} line
 * @returns {{ words: string[], unterminated: string }}  `unterminated` is an open quote, or a backslash at the end of the line.
 */
export function tokenize(line) {
  const words = [];
  /** @type {string | undefined} */
  let word;
  let quote = "";
  const append = (/** @type {string} */ text) => {
    word = (word ?? "") + text;
  };
  for (let at = 0; at < line.length; at += 1) {
    const char = line[at];
    const next = line[at + 1];
    if (quote === "'") {
      if (char === "'") quote = "";
      else append(char);
    } else if (char === "\\" && (quote === "" || /["\\$`]/.test(next ?? ""))) {
      if (next === undefined) quote = "\\";
      else append(next);
      at += 1;
    } else if (quote === '"') {
      if (char === '"') quote = "";
      else append(char);
    } else if (char === "'" || char === '"') {
      quote = char;
      append("");
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      append(char);
    }
  }
  if (word !== undefined) words.push(word);
  return { words, unterminated: quote };
}

/**
 * Quotes a word, so that `tokenize` returns it unchanged.
 *
 * @param {string} word
 * @returns {string}
 */
export function quote(word) {
  return /^[\w@%+=:,./[\]-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
