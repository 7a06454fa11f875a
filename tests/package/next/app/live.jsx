"use client";

import { createGate } from "entgate";
import { GateProvider, useEntitlement } from "entgate/react";

/** What is below it is answered by what the page brought along, and from then on by what the edge says. */
export function Live({ children, ...options }) {
  return (
    <GateProvider gate={() => createGate(options)} snapshot={options.snapshot}>
      {children}
      <Says />
    </GateProvider>
  );
}

function Says() {
  const [sms, sso] = [useEntitlement("sms"), useEntitlement("sso")];
  return <output>{[sms.state, sso.entitled && "sso", sms.entitled && "sms"].filter(Boolean).join(" ")}</output>;
}
