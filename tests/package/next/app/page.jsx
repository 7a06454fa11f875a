import { Entitled } from "entgate/react";
import { verifySnapshot } from "entgate/server";
import { cookies } from "next/headers";
import { endpoint, entgate, keys } from "../entgate";
import { Live } from "./live";

export default async function Page() {
  const customer = (await cookies()).get("customer").value;
  const [snapshot, { token }] = await Promise.all([entgate.snapshot(customer), entgate.token(customer)]);
  const { has, version } = await verifySnapshot(snapshot, { keys, customer, livemode: false });
  return (
    <>
      <p id="server">{`${has("sms")} ${has("sso")} ${version}`}</p>
      <Live livemode={false} endpoint={endpoint} snapshot={snapshot} token={token}>
        <Entitled feature="sso" fallback={<p id="part">not in your plan</p>}>
          <p id="part">log in with your own</p>
        </Entitled>
      </Live>
    </>
  );
}
