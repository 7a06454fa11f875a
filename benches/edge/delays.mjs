// How long to wait for the background work of an event, in milliseconds. Each value is the delay in src/ledger plus a margin.

/** Until a ledger has reported a new customer to the customer index. */
export const INDEX_REPORT_DELAY = 1_600;

/** Until a ledger writes the replica again. */
export const REPLICA_WRITE_DELAY = 1_600;

/** Until a ledger has sent its activity to the customer index. */
export const ACTIVITY_DELAY = 200;

/** Until workerd evicts an idle object from memory, which takes 10 s. */
export const EVICTION_DELAY = 13_000;
