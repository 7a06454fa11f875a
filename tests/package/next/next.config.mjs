import { fileURLToPath } from "node:url";

// https://nextjs.org/docs/app/guides/content-security-policy#without-nonces
const policy = { key: "content-security-policy", value: "script-src 'self' 'unsafe-inline'" };

export default {
  // Next itself is installed in the parent folder.
  turbopack: { root: fileURLToPath(new URL("..", import.meta.url)) },
  headers: () => [{ source: "/", has: [{ type: "query", key: "policy", value: "strict" }], headers: [policy] }],
};
