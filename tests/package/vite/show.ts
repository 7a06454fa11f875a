import type { Gate, Options } from "entgate";

declare global {
  /** What the test has for the page. */
  const given: Options;
}

/** Says on the page what the gate knows, whenever that changes. */
export function show(gate: Gate): void {
  const says = () => (document.querySelector("output")!.textContent = [gate.state, ...gate.list()].join(" "));
  gate.on("change", says);
  gate.on("state", says);
  says();
}
