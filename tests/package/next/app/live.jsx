"use client";

import { createGate } from "entgate";
import { GateProvider, useEntitlement } from "entgate/react";

/** Provides a gate: the first answers are those of the page's snapshot. */
export function Live({ children, ...options }) {
  return (
    <GateProvider gate={() => createGate(options)} snapshot={options.snapshot} livemode={options.livemode}>
      {children}
      <Output />
    </GateProvider>
  );
}

function Output() {
  const [sms, sso] = [useEntitlement("sms"), useEntitlement("sso")];
  return <output>{[sms.state, sso.entitled && "sso", sms.entitled && "sms"].filter(Boolean).join(" ")}</output>;
}
