import type { Gate, Options } from "entgate";

declare global {
  /** The options that the test passes to the page. */
  const testOptions: Options;
}

/** The element that shows the state and the features of the gate. */
export const output = document.querySelector("output") as HTMLOutputElement;

/** Renders the state and the features of a gate, and updates them. */
export function renderGate(gate: Gate): void {
  const render = () => {
    output.textContent = [gate.state, ...gate.list()].join(" ");
  };
  gate.on("change", render);
  gate.on("state", render);
  render();
}
