// The parts of a page that the server renders and the browser hydrates.

import { Entitled, GateProvider, useEntitlement } from "entgate/react";
import { lazy, StrictMode, Suspense } from "react";

/** A part whose code is loaded when the test resolves `globalThis.late`. */
const Late = lazy(async () => {
  await globalThis.late;
  return { default: () => <Gated feature="sso" name="late" /> };
});

export function Gated({ feature, name = feature }) {
  return (
    <Entitled
      feature={feature}
      fallback={<p data-part={`no-${name}`}>not in your plan</p>}
      loading={<p data-part={`loading-${name}`}>one moment</p>}
    >
      <p data-part={name}>here it is</p>
    </Entitled>
  );
}

function Details() {
  const { entitled, pending, reason, state, version } = useEntitlement("sms");
  return <output>{[pending ? "pending" : entitled, reason, state, version].join(" ")}</output>;
}

export function Page({ gate, snapshot }) {
  return (
    <StrictMode>
      <GateProvider gate={gate} snapshot={snapshot} livemode={false}>
        <Gated feature="sms" />
        <Gated feature="sso" />
        <Suspense>
          <Late />
        </Suspense>
        <Details />
      </GateProvider>
    </StrictMode>
  );
}
