// A line, cut into words as a shell does: by spaces, but not within quotes.

/** The words; `open` is the quote that is not closed, or a backslash with nothing behind it. */
export function words(line) {
  const found = [];
  let word;
  let open = "";
  const add = (text) => {
    word = (word ?? "") + text;
  };
  for (let at = 0; at < line.length; at += 1) {
    const char = line[at];
    const next = line[at + 1];
    if (open === "'") {
      if (char === "'") open = "";
      else add(char);
    } else if (char === "\\" && (open === "" || /["\\$`]/.test(next ?? ""))) {
      if (next === undefined) open = "\\";
      else add(next);
      at += 1;
    } else if (open === '"') {
      if (char === '"') open = "";
      else add(char);
    } else if (char === "'" || char === '"') {
      open = char;
      add("");
    } else if (/\s/.test(char)) {
      if (word !== undefined) found.push(word);
      word = undefined;
    } else {
      add(char);
    }
  }
  if (word !== undefined) found.push(word);
  return { words: found, open };
}

/** A word as it has to be written to stay one. */
export function quote(word) {
  return /^[\w@%+=:,./[\]-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
