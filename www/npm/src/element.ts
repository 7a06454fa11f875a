// `entgate/element`: the custom element `<entitled-to feature="sms">`, for plain HTML.
//
// It shows its children if the customer has the feature, and otherwise those with `slot="fallback"`. A child that is
// not shown is assigned to no slot: it is not rendered, not in the accessibility tree and not focusable.
//
// | attribute  | value                                                                                          |
// |------------|------------------------------------------------------------------------------------------------|
// | `feature`  | the lookup key                                                                                 |
// | `entitled` | present if entitled. Until the gate has loaded a set, the attribute from the page is unchanged |
// | `state`    | the state of the gate                                                                          |
//
// The element fires `change` when its answer changes. The event does not bubble.

import type { Feature } from "./features.js";
import type { Gate, State } from "./gate.js";

export interface EntitledToElement extends HTMLElement {
  feature: Feature;
  readonly entitled: boolean;
  readonly state: State;
}

declare global {
  interface HTMLElementTagNameMap {
    "entitled-to": EntitledToElement;
  }
}

/** The update functions of all connected elements. */
const connected = new Set<() => void>();
const updateAll = () => {
  for (const update of connected) update();
};

let gate: Gate | undefined;
let removers: (() => void)[] = [];

/** Defines `<entitled-to>` with this gate. A second call replaces the gate. Does nothing on a server. */
export function define(nextGate: Gate): void {
  if (!globalThis.customElements) return;
  const isDefined = gate !== undefined;
  for (const remove of removers) remove();
  gate = nextGate;
  removers = [gate.on("change", updateAll), gate.on("state", updateAll)];
  if (isDefined) updateAll();
  else customElements.define("entitled-to", createElementClass());
}

/** Creates the class on demand: `HTMLElement` does not exist on a server. */
const createElementClass = () =>
  class extends HTMLElement implements EntitledToElement {
    static observedAttributes = ["feature"];

    /** The answer in the page's HTML. It is used until the gate has loaded a set. */
    #pageEntitled: boolean | undefined;
    #slot = document.createElement("slot");
    #onChange = () => this.#update();

    constructor() {
      super();
      // Replaces a declarative shadow root.
      this.attachShadow({ mode: "open" }).append(this.#slot);
    }

    get feature() {
      return this.getAttribute("feature") ?? "";
    }
    set feature(feature) {
      this.setAttribute("feature", feature);
    }
    get entitled() {
      return this.hasAttribute("entitled");
    }
    get state() {
      return (this.getAttribute("state") as State | null) ?? "loading";
    }

    connectedCallback() {
      this.#pageEntitled ??= this.entitled;
      connected.add(this.#onChange);
      this.#update();
    }
    disconnectedCallback() {
      connected.delete(this.#onChange);
    }
    attributeChangedCallback(_name: string, before: string | null, after: string | null) {
      // The page's answer was for the previous feature.
      if (before !== null && before !== after) this.#pageEntitled = false;
      if (connected.has(this.#onChange)) this.#update();
    }

    #update() {
      if (!gate) return;
      const { entitled, reason, version } = gate.check(this.feature as Feature);
      if (version || !["not_known", "fallback"].includes(reason)) this.#pageEntitled = false;
      const isShown = entitled || !!this.#pageEntitled;
      this.#slot.name = isShown ? "" : "fallback";
      if (this.getAttribute("state") !== gate.state) this.setAttribute("state", gate.state);
      if (isShown === this.entitled) return;
      this.toggleAttribute("entitled", isShown);
      this.dispatchEvent(new Event("change"));
    }
  };
