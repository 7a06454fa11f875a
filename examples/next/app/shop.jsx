"use client";

import { createGate } from "entgate";
import { Entitled, GateProvider } from "entgate/react";

/** Provides a gate that follows changes. Until it has loaded, the snapshot of the server answers. */
export function Gate({ endpoint, customer, snapshot, children }) {
  const token = () => fetch(`/entgate-token?customer=${encodeURIComponent(customer)}`).then((response) => response.text());
  const gate = () => createGate({ endpoint, livemode: false, snapshot, token });
  return (
    <GateProvider key={customer} gate={gate} snapshot={snapshot} livemode={false}>
      {children}
    </GateProvider>
  );
}

export function Shop() {
  const buy = <p id="buy">The audit log is part of the plan Team</p>;
  return (
    <Entitled feature="audit_log" fallback={buy} loading={<p id="loading">…</p>}>
      <p id="audit-log">2026-11-17 Ada logged in</p>
    </Entitled>
  );
}
