// Vite with a small backend: it creates a token for the customer. The customer is a parameter of the URL, which the page passes on; a real
// backend takes it from its session.

import { createClient } from "entgate/server";
import { defineConfig } from "vite";

const { ENTGATE_URL = "http://localhost:8787", ENTGATE_KEY = "sk_test_entgate" } = process.env;
const entgate = createClient({ endpoint: ENTGATE_URL, key: ENTGATE_KEY });

/** @type {import("vite").Plugin} */
const backend = {
  name: "backend",
  configureServer(server) {
    server.middlewares.use("/entgate-token", async (request, response) => {
      const { searchParams } = new URL(request.url ?? "/", "http://localhost");
      try {
        const { token } = await entgate.token(searchParams.get("customer") || "cus_demo_team");
        response.end(token);
      } catch (error) {
        server.config.logger.error(`failed to create a token: ${error.message}`);
        response.writeHead(503).end();
      }
    });
  },
};

export default defineConfig({
  plugins: [backend],
  // The key stays in this process. Only the address is part of the page.
  define: { "import.meta.env.ENTGATE_URL": JSON.stringify(ENTGATE_URL) },
  // `entgate` is a link into this repository. The page must have one React.
  resolve: { preserveSymlinks: true },
  server: { host: "localhost", strictPort: true },
});
