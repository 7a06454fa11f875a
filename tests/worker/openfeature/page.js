// A page that gates its parts with OpenFeature's web SDK and React SDK over OFREP, with nothing of entgate in it.
//
// What it is told stands in the URL: where entgate is, whose page it is. `window.token` is what the application's own backend
// would hand it; the test puts it there, and may replace it.

import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";
import { OpenFeature, OpenFeatureProvider, useFlag } from "@openfeature/react-sdk";
import { ProviderEvents } from "@openfeature/web-sdk";
import { createElement as h } from "react";
import { createRoot } from "react-dom/client";

const { baseUrl, customer } = Object.fromEntries(new URLSearchParams(location.search));

const provider = new OFREPWebProvider({
  baseUrl,
  cacheMode: "network-first",
  headersFactory: () => [["Authorization", `Bearer ${window.token}`]],
});

/** What the SDK told of, in that order. */
window.events = [];
for (const event of Object.values(ProviderEvents)) {
  OpenFeature.addHandler(event, (details) => window.events.push({ event, at: Date.now(), ...details }));
}

/** A boolean flag as the web SDK resolves it, with its reason and error. */
window.details = (key, fallback = false) => OpenFeature.getClient().getBooleanDetails(key, fallback);

function Part({ feature }) {
  const { value, errorCode } = useFlag(feature, false);
  return h("p", { id: feature, "data-open": String(value), "data-error": errorCode ?? "" }, `${feature} is ${value ? "open" : "closed"}`);
}

const features = ["sms", "sso", "export"];
const parts = features.map((feature) => h(Part, { key: feature, feature }));
createRoot(document.querySelector("#root")).render(h(OpenFeatureProvider, { suspend: false }, parts));

await OpenFeature.setContext({ targetingKey: customer });
window.ready = OpenFeature.setProviderAndWait(provider).then(
  () => "ready",
  (error) => `${error.name}: ${error.message}`,
);
