// A React page that shows a feature to customers who may use it, and follows a purchase without a reload.

import { createGate } from "entgate";
import { Entitled, GateProvider, useEntitlement } from "entgate/react";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

const token = () => fetch(`/entgate-token${location.search}`).then((response) => response.text());
const openGate = () => createGate({ endpoint: import.meta.env.ENTGATE_URL, livemode: false, token });

function Shop() {
  const { reason } = useEntitlement("audit_log");
  const buy = <p id="buy">The audit log is part of the plan Team</p>;
  return (
    <>
      <h1>Shop</h1>
      <Entitled feature="audit_log" fallback={buy} loading={<p id="loading">…</p>}>
        <p id="audit-log">2026-11-17 Ada logged in</p>
      </Entitled>
      <small>{reason}</small>
    </>
  );
}

createRoot(document.querySelector("main")).render(
  <StrictMode>
    <GateProvider gate={openGate} livemode={false}>
      <Shop />
    </GateProvider>
  </StrictMode>,
);
