// Error messages for unknown commands and events, with a suggestion if a known name is similar. Pure functions.

const MAX_DISTANCE = 2; // Edits.

/**
 * @param {string} word
 * @param {string} context  The command before the word: "stripe features".
 * @param {Iterable<string>} names  The valid words.
 */
export function unknownCommand(word, context, names) {
  const suggestion = suggest(word, names);
  return `Unknown command "${word}" for "${context}".${suggestion}${suggestion ? "\nIf not, s" : "\nS"}ee "${context} --help" for a list of available commands.`;
}

/**
 * @param {string} event
 * @param {string} program  The name of the program.
 * @param {Iterable<string>} names
 */
export function unknownEvent(event, program, names) {
  return `The event "${event}" cannot be triggered.${suggest(event, names)}\nSee "${program} trigger --help" for a list of supported events.`;
}

/**
 * @param {string} word
 * @param {Iterable<string>} names
 */
function suggest(word, names) {
  const name = nearest(word, names);
  return name ? ` Did you mean "${name}"?` : "";
}

/**
 * The most similar name: one that starts with the word, or is at most two edits away.
 *
 * @param {string} word
 * @param {Iterable<string>} names
 * @returns {string | undefined}
 */
export function nearest(word, names) {
  return [...names]
    .map((name) => ({ name, distance: name.startsWith(word) ? 1 : editDistance(word.toLowerCase(), name) }))
    .filter(({ name, distance }) => distance <= Math.min(MAX_DISTANCE, name.length / 2))
    .sort((a, b) => a.distance - b.distance)[0]?.name;
}

/**
 * The Levenshtein distance.
 *
 * @param {string} a
 * @param {string} b
 * @returns {number}
 */
function editDistance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      next.push(Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length];
}
