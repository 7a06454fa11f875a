// `entgate/element`: the custom element `<entitled-to feature="sms">`, for plain HTML.
//
// It shows its children if the customer has the feature, and otherwise those with `slot="fallback"`; while that is not
// known, those with `slot="loading"`. A child that is not shown is assigned to no slot: it is not rendered, not in the
// accessibility tree and not focusable.
//
// | attribute  | value                                                                                          |
// |------------|------------------------------------------------------------------------------------------------|
// | `feature`  | the lookup key                                                                                 |
// | `entitled` | present if entitled                                                                            |
// | `pending`  | present while the answer is not known                                                          |
// | `state`    | the state of the gate                                                                          |
//
// A server can write `state` and `entitled`: its answer is used until the gate has loaded a set. The element fires
// `change` when its answer changes. The event does not bubble.

import type { Feature } from "./features.js";
import type { Gate, State } from "./gate.js";

export interface EntitledToElement extends HTMLElement {
  feature: Feature;
  readonly entitled: boolean;
  readonly pending: boolean;
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

/** The answer that the element shows; also the name of its slot. */
const GRANTED = "";
const DENIED = "fallback";
const PENDING = "loading";

/** Creates the class on demand: `HTMLElement` does not exist on a server. */
const createElementClass = () =>
  class extends HTMLElement implements EntitledToElement {
    static observedAttributes = ["feature"];

    /** The answer in the page's HTML, if there is one. It is used until the gate has loaded a set. */
    #pageAnswer: string | undefined;
    #hasReadPage = false;
    #slot = document.createElement("slot");
    #onChange = () => this.#update();

    constructor() {
      super();
      // Replaces a declarative shadow root.
      this.attachShadow({ mode: "open" }).append(this.#slot);
      this.#slot.name = PENDING;
      // Properties that were set before the element was defined hide those of the class.
      for (const name of ["feature", "entitled", "pending", "state"] as const) {
        if (!Object.hasOwn(this, name)) continue;
        const [value, attribute] = [this[name], this.getAttribute("feature")];
        Reflect.deleteProperty(this, name);
        if (name !== "feature") continue;
        this.feature = value as Feature;
        // The page's answer is for the feature in the attribute.
        this.#hasReadPage = attribute !== null && attribute !== value;
      }
    }

    get feature() {
      return this.getAttribute("feature") ?? "";
    }
    set feature(feature) {
      // A framework can bind `null` or `undefined`.
      if ((feature ?? null) === null) this.removeAttribute("feature");
      else this.setAttribute("feature", feature);
    }
    get entitled() {
      return this.hasAttribute("entitled");
    }
    get pending() {
      return this.hasAttribute("pending");
    }
    get state() {
      return (this.getAttribute("state") as State | null) ?? "loading";
    }

    connectedCallback() {
      if (!this.#hasReadPage) {
        this.#hasReadPage = true;
        if (this.entitled) this.#pageAnswer = GRANTED;
        else if (this.hasAttribute("state") && !this.pending) this.#pageAnswer = DENIED;
      }
      connected.add(this.#onChange);
      this.#update();
    }
    disconnectedCallback() {
      connected.delete(this.#onChange);
    }
    attributeChangedCallback(_name: string, before: string | null, after: string | null) {
      // The page's answer was for the previous feature.
      if (before !== null && before !== after) {
        this.#hasReadPage = true;
        this.#pageAnswer = undefined;
      }
      if (connected.has(this.#onChange)) this.#update();
    }

    #update() {
      if (!gate) return;
      const { entitled, reason, version } = gate.check(this.feature as Feature);
      if (version || !["not_known", "fallback"].includes(reason)) this.#pageAnswer = undefined;
      const answer = this.#pageAnswer ?? (reason === "not_known" ? PENDING : entitled ? GRANTED : DENIED);
      this.#slot.name = answer;
      this.toggleAttribute("pending", answer === PENDING);
      if (this.getAttribute("state") !== gate.state) this.setAttribute("state", gate.state);
      if ((answer === GRANTED) === this.entitled) return;
      this.toggleAttribute("entitled", answer === GRANTED);
      // With the document of jsdom the global `Event` can be that of Node.
      this.dispatchEvent(new (this.ownerDocument.defaultView ?? globalThis).Event("change"));
    }
  };
