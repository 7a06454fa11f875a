import { createGate } from "entgate";

/** Says on the page what the gate knows, whenever that changes. */
function show(gate) {
  const says = () => (document.querySelector("output").textContent = [gate.state, ...gate.list()].join(" "));
  gate.on("change", says);
  gate.on("state", says);
  says();
}

if (location.search === "?slim") import("./slim.js").then(({ open }) => open().then(show));
else show(createGate(given));
