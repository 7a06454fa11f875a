import { createGate } from "entgate";
import { Entitled, GateProvider, useEntitlement } from "entgate/react";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { output } from "./render";

function Features() {
  return (
    <>
      {useEntitlement("sms").state}
      <Entitled feature="sso"> sso</Entitled>
      <Entitled feature="sms"> sms</Entitled>
    </>
  );
}

export function renderApp(): void {
  createRoot(output).render(
    <StrictMode>
      <GateProvider gate={createGate(testOptions)}>
        <Features />
      </GateProvider>
    </StrictMode>,
  );
}
