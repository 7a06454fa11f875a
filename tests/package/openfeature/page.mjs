// A page with OpenFeature's web SDK and React SDK, whose gates the test creates. The test uses its global `api`.

import { OpenFeature, OpenFeatureProvider, useFlag } from "@openfeature/react-sdk";
import { ProviderEvents } from "@openfeature/web-sdk";
import { createGate } from "entgate";
import { EntgateProvider } from "entgate/openfeature";
import { createTestGate } from "entgate/testing";
import { createElement as h } from "react";
import { createRoot } from "react-dom/client";

/** @type {string[]} The events of the SDK, in order. */
const events = [];
for (const event of Object.values(ProviderEvents)) {
  OpenFeature.addHandler(event, (details) => {
    const { flagsChanged, message } = /** @type {{ flagsChanged?: string[], message?: string }} */ (details);
    events.push([event.replace("PROVIDER_", ""), flagsChanged ?? message].filter(Boolean).join(" "));
  });
}
const client = OpenFeature.getClient();

globalThis.api = {
  OpenFeature,
  EntgateProvider,
  createGate,
  createTestGate,
  client,
  takeEvents: () => events.splice(0),
  /** Evaluates a flag; returns its value, the reason or error code, and the details. */
  evaluateFlag(key, fallback = false) {
    const { value, reason, variant, errorCode, errorMessage, flagMetadata } = client.getBooleanDetails(key, fallback);
    return errorCode ? [value, errorCode, errorMessage] : [value, reason, variant, flagMetadata.reason, flagMetadata.version];
  },
  /** Sets the provider; returns the status, and the message of an error. */
  setProvider: (provider, context) =>
    OpenFeature.setProviderAndWait(provider, context).then(
      () => client.providerStatus,
      (error) => `${client.providerStatus} ${error.message}`,
    ),
  renderParts() {
    const Part = ({ feature }) => h("p", { id: feature }, String(useFlag(feature, false).value));
    const parts = ["sms", "sso"].map((feature) => h(Part, { key: feature, feature }));
    createRoot(/** @type {Element} */ (document.querySelector("#root"))).render(h(OpenFeatureProvider, { suspend: false }, parts));
  },
};
