// Fills KV with the records of the measured customers: in a format that is simple for JavaScript, and in entgate's format.
//
// Returns one KV namespace for the baselines and one for entgate. Not here: the formats that entgate could have used (benches/core).

import { startKv } from "./workerd.mjs";
import { SIZES } from "./workloads.mjs";

/** Starts both KV servers and writes a record for each size. */
export async function startKvWithRecords() {
  const [baselineKv, entgateKv] = [await startKv(), await startKv()];
  for (const size of SIZES) {
    const header = { version: 3, as_of: 1_706_111_369, completeness: "complete" };
    const data = Array.from({ length: size }, (_, index) => ({
      id: `ent_test_61QGU1MWyFMSP9YBZ41ClCIKljWvs${index}`,
      feature: `feat_test_61QGTuxAZuDgJsvqm41ClCIKlj${index}`,
      lookup_key: `feature-${index}`,
    }));
    await baselineKv.put(`test:cus_${size}`, JSON.stringify({ v: 1, ...header, data }));
    const columns = {
      keys: data.map(({ lookup_key }) => lookup_key),
      features: data.map(({ feature }) => feature),
      ids: data.map(({ id }) => id),
    };
    await entgateKv.put(`test:cus_${size}`, JSON.stringify({ v: 1, source: "stripe/keep", ...header, ...columns }));
  }
  return { baselineKv, entgateKv };
}
