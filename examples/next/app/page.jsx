// A server component: it decides by a signed snapshot, and embeds the snapshot for the browser's first paint.
//
// The customer is a parameter of the URL; a real app takes it from its session.

import { verifySnapshot } from "entgate/server";
import { endpoint, entgate, keys } from "../entgate";
import { Gate, Shop } from "./shop";

export default async function Page({ searchParams }) {
  const { customer = "cus_demo_team" } = await searchParams;
  // During an outage the page is rendered without a snapshot: it then shows `loading`, and neither branch.
  const snapshot = await entgate.snapshot(customer).catch(() => undefined);
  const { has } = snapshot ? await verifySnapshot(snapshot, { keys, customer, livemode: false }) : { has: () => false };
  return (
    <Gate endpoint={endpoint} customer={customer} snapshot={snapshot}>
      <h1>Shop</h1>
      <Shop />
      {has("api_access") && <p id="secret">Only the server decides about this: its text is not sent to other customers</p>}
    </Gate>
  );
}
