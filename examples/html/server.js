// The backend of a page without a build: it serves the page and entgate's package, and creates a token for the customer.
//
// The customer is a parameter of the URL, which the page passes on; a real backend takes it from its session.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createClient } from "entgate/server";

const { ENTGATE_URL = "http://localhost:8787", ENTGATE_KEY = "sk_test_entgate", PORT = "3000" } = process.env;
const entgate = createClient({ endpoint: ENTGATE_URL, key: ENTGATE_KEY });

const packageFile = (name) => new URL(import.meta.resolve(name));
const FILES = {
  "/": ["text/html; charset=utf-8", new URL("index.html", import.meta.url)],
  "/entgate.js": ["text/javascript", packageFile("entgate")],
  "/element.js": ["text/javascript", packageFile("entgate/element")],
};

const server = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://localhost");
  try {
    if (pathname === "/entgate-token") {
      const { token } = await entgate.token(searchParams.get("customer") || "cus_demo_team");
      return response.writeHead(200, { "content-type": "text/plain" }).end(token);
    }
    const [type, file] = FILES[pathname] ?? [];
    if (!file) return response.writeHead(404).end();
    // The page learns the address of entgate.
    const text = readFileSync(file, "utf8").replaceAll("http://localhost:8787", ENTGATE_URL);
    response.writeHead(200, { "content-type": type }).end(text);
  } catch (error) {
    console.error(`failed to serve ${pathname}: ${error.message}`);
    response.writeHead(503).end();
  }
});
server.listen(Number(PORT), "localhost", () => console.log(`The page is at http://localhost:${PORT}/?customer=cus_demo_team`));
