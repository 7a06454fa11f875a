import { createGate } from "entgate";
import { Entitled, GateProvider, useEntitlement } from "entgate/react";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

function Says() {
  return (
    <>
      {useEntitlement("sms").state}
      <Entitled feature="sso"> sso</Entitled>
      <Entitled feature="sms"> sms</Entitled>
    </>
  );
}

export function open(): void {
  createRoot(document.querySelector("output")!).render(
    <StrictMode>
      <GateProvider gate={createGate(given)}>
        <Says />
      </GateProvider>
    </StrictMode>,
  );
}
