// Questions in the terminal that only "yes" confirms.

import { createInterface } from "node:readline/promises";

/**
 * Asks a question. Resolves to false without a terminal, which cannot answer.
 *
 * @param {string} question
 * @param {AbortSignal} signal
 * @returns {Promise<boolean>}
 */
export async function ask(question, signal) {
  if (!process.stdin.isTTY) {
    process.stderr.write("This needs a confirmation, and there is no terminal to ask in. --confirm skips the question.\n");
    return false;
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  terminal.once("SIGINT", () => process.emit("SIGINT"));
  try {
    return (await terminal.question(`${question} `, { signal })).trim() === "yes";
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  } finally {
    terminal.close();
  }
}
