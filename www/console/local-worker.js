// Whether the Worker runs on this machine, and the command that sends it an event there.

export const isLocal = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);

const DEFAULT_PORT = "8787"; // The port of `make dev`, which scripts/send-event.mjs assumes without `--port`.

/** The `--port` option for this page's origin; empty for the default port. */
export const portOption = location.port && location.port !== DEFAULT_PORT ? `--port ${location.port}` : "";
