/// <reference path="./window.d.ts" />
// A page that gates its parts with OpenFeature's web SDK and React SDK over OFREP, without code of entgate.
//
// The URL has the base URL of entgate and the customer. The test sets the token in `window.flagPage`, as the application's
// backend would, may replace it, and reads the other members.

import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";
import { OpenFeature, OpenFeatureProvider, useFlag } from "@openfeature/react-sdk";
import { ProviderEvents } from "@openfeature/web-sdk";
import { createElement as h } from "react";
import { createRoot } from "react-dom/client";

const { baseUrl, customer } = Object.fromEntries(new URLSearchParams(location.search));

const provider = new OFREPWebProvider({
  baseUrl,
  cacheMode: "network-first",
  headersFactory: async () => [["Authorization", `Bearer ${window.flagPage.token}`]],
});

for (const event of Object.values(ProviderEvents)) {
  OpenFeature.addHandler(event, (details) => window.flagPage.events.push({ event, at: Date.now(), ...details }));
}

window.flagPage.details = (key, fallback = false) => OpenFeature.getClient().getBooleanDetails(key, fallback);

function Part({ feature }) {
  const { value, errorCode } = useFlag(feature, false);
  return h("p", { id: feature, "data-open": String(value), "data-error": errorCode ?? "" }, `${feature} is ${value ? "open" : "closed"}`);
}

const features = ["sms", "sso", "export"];
const parts = features.map((feature) => h(Part, { key: feature, feature }));
createRoot(/** @type {Element} */ (document.querySelector("#root"))).render(h(OpenFeatureProvider, { suspend: false }, parts));

await OpenFeature.setContext({ targetingKey: customer });
window.flagPage.ready = OpenFeature.setProviderAndWait(provider).then(
  () => "ready",
  (error) => `${error.name}: ${error.message}`,
);
