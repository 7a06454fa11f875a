// A page that gates its parts with OpenFeature's web SDK and React SDK, over gates that the test makes.

import { OpenFeature, OpenFeatureProvider, useFlag } from "@openfeature/react-sdk";
import { ProviderEvents } from "@openfeature/web-sdk";
import { createGate } from "entgate";
import { EntgateProvider } from "entgate/openfeature";
import { createTestGate } from "entgate/testing";
import { createElement as h } from "react";
import { createRoot } from "react-dom/client";

/** What the SDK told of, in that order. */
const events = [];
for (const event of Object.values(ProviderEvents)) {
  OpenFeature.addHandler(event, ({ flagsChanged, message }) =>
    events.push([event.replace("PROVIDER_", ""), flagsChanged ?? message].filter(Boolean).join(" ")),
  );
}
const client = OpenFeature.getClient();

Object.assign(globalThis, {
  OpenFeature,
  EntgateProvider,
  createGate,
  createTestGate,
  client,
  told: () => events.splice(0),
  /** A flag as the SDK resolves it: its value, why, and what else is said. */
  flag(key, fallback = false) {
    const { value, reason, variant, errorCode, errorMessage, flagMetadata } = client.getBooleanDetails(key, fallback);
    return errorCode ? [value, errorCode, errorMessage] : [value, reason, variant, flagMetadata.reason, flagMetadata.version];
  },
  /** Sets the provider, and says what came of it. */
  set: (provider, context) =>
    OpenFeature.setProviderAndWait(provider, context).then(
      () => client.providerStatus,
      (error) => `${client.providerStatus} ${error.message}`,
    ),
  show() {
    const Part = ({ feature }) => h("p", { id: feature }, String(useFlag(feature, false).value));
    const parts = ["sms", "sso"].map((feature) => h(Part, { key: feature, feature }));
    createRoot(document.querySelector("#root")).render(h(OpenFeatureProvider, { suspend: false }, parts));
  },
});
