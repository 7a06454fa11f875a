// `entgate/element`: `<entitled-to feature="sms">` for plain HTML. It shows its children if the customer has the
// feature, and if not those with `slot="fallback"`. What is not shown is in no slot: it is neither painted nor read
// out nor reached by a key.
//
// | attribute  | is                                                                                   |
// |------------|--------------------------------------------------------------------------------------|
// | `feature`  | the lookup key                                                                       |
// | `entitled` | there or not: the answer. As long as the gate knows nothing, what the page came with |
// | `state`    | the gate's                                                                           |
//
// `change` is an event of the element when its answer is another one; it does not bubble, as those of forms do.

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

/** The elements in the page, each with how it is asked to look again. */
const shown = new Set<() => void>();
const look = () => shown.forEach((again) => again());

let gate: Gate | undefined;
let ends: (() => void)[] = [];

/** Lets `<entitled-to>` be answered by this gate, and from now on by this one where it was another. On a server it does nothing. */
export function define(by: Gate): void {
  if (!globalThis.customElements) return;
  const again = gate !== undefined;
  ends.forEach((end) => end());
  gate = by;
  ends = [gate.on("change", look), gate.on("state", look)];
  if (again) look();
  else customElements.define("entitled-to", element());
}

/** Made in a page alone: on a server there is nothing to extend. */
const element = () =>
  class extends HTMLElement implements EntitledToElement {
    static observedAttributes = ["feature"];

    /** What the page came with, which holds until the gate has known something. */
    #page: boolean | undefined;
    #slot = document.createElement("slot");
    #look = () => this.#show();

    constructor() {
      super();
      // A page may have come with the root, too.
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
      this.#page ??= this.entitled;
      shown.add(this.#look);
      this.#show();
    }
    disconnectedCallback() {
      shown.delete(this.#look);
    }
    attributeChangedCallback(_name: string, before: string | null, after: string | null) {
      // Of another feature the page has said nothing.
      if (before !== null && before !== after) this.#page = false;
      if (shown.has(this.#look)) this.#show();
    }

    #show() {
      const { entitled, reason, version } = gate!.check(this.feature as Feature);
      if (version || !["not_known", "fallback"].includes(reason)) this.#page = false;
      const open = entitled || !!this.#page;
      this.#slot.name = open ? "" : "fallback";
      if (this.getAttribute("state") !== gate!.state) this.setAttribute("state", gate!.state);
      if (open === this.entitled) return;
      this.toggleAttribute("entitled", open);
      this.dispatchEvent(new Event("change"));
    }
  };
