import { createGate } from "entgate";

/**
 * Renders the state and the features of a gate, and updates them.
 *
 * @param {import("entgate").Gate} gate
 */
function renderGate(gate) {
  const output = /** @type {HTMLOutputElement} */ (document.querySelector("output"));
  const render = () => {
    output.textContent = [gate.state, ...gate.list()].join(" ");
  };
  gate.on("change", render);
  gate.on("state", render);
  render();
}

if (location.search === "?slim") import("./slim.js").then(({ openGate }) => openGate().then(renderGate));
else renderGate(createGate(globalThis.testOptions));
