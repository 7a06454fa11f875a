// The sets that are asked about, in KV: in the form that JavaScript reads most easily, and in ours.

import { SIZES } from "./workloads.mjs";
import { kv } from "./workerd.mjs";

/** A KV for those in JavaScript, and one for ours. */
export async function sets() {
  const [rows, columns] = [await kv(), await kv()];
  for (const size of SIZES) {
    const head = { version: 3, as_of: 1_706_111_369, coverage: "whole" };
    const data = Array.from({ length: size }, (_, at) => ({
      id: `ent_test_61QGU1MWyFMSP9YBZ41ClCIKljWvs${at}`,
      feature: `feat_test_61QGTuxAZuDgJsvqm41ClCIKlj${at}`,
      lookup_key: `feature-${at}`,
    }));
    const column = (name) => data.map((grant) => grant[name]);
    await rows.put(`test:cus_${size}`, JSON.stringify({ v: 1, ...head, data }));
    await columns.put(
      `test:cus_${size}`,
      JSON.stringify({ v: 2, ...head, keys: column("lookup_key"), features: column("feature"), ids: column("id") }),
    );
  }
  return { rows, columns };
}
