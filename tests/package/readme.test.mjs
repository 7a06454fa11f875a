// Every example of the package's README does what it says, pasted as it is. Only the endpoint is another one.

import { build } from "esbuild";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import Stripe from "stripe";
import { browse } from "../worker/browser.mjs";
import { eventually, KEY, SECRET, summary } from "../worker/support.mjs";
import { visit } from "./pages.mjs";
import { edge, root } from "./support.mjs";
import { install, run } from "./tarball.mjs";

/** The examples by the headings that they stand under, each as its language and its text. */
const examples = {};
for (const section of readFileSync(root("www/npm/README.md"), "utf8").split(/^#+ /m).slice(1)) {
  const blocks = [...section.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map(([, language, text]) => ({ language, text }));
  if (blocks.length) examples[section.split("\n")[0]] = blocks;
}

describe("the package's README", { timeout: 120_000 }, () => {
  let service;
  let installed;
  let browser;
  let shop;
  const pages = {};
  before(async () => {
    [service, installed, browser] = await Promise.all([edge(), install(), browse()]);
    process.env.ENTGATE_KEY = KEY;
    process.env.WEBHOOK_SECRET = SECRET;
    // A backend whose framework is as Express, and knows who has logged in.
    const routes = {};
    globalThis.app = { get: (path, answer) => (routes[path] = answer) };
    shop = createServer((request, response) => {
      const { pathname } = new URL(request.url, "http://shop");
      if (routes[pathname]) return routes[pathname]({ user: { customer: shop.customer } }, { send: (text) => response.end(text) });
      const [type, text] = pathname.endsWith(".js")
        ? ["text/javascript", pages[pathname.slice(0, -3)]?.script]
        : ["text/html", pages[pathname]?.html];
      response.writeHead(200, { "content-type": `${type}; charset=utf-8` }).end(text);
    });
    await new Promise((resolve) => shop.listen(0, "127.0.0.1", resolve));
    await load("backend.mjs", examples.entgate[2].text);
  });
  after(async () => {
    await browser?.close();
    shop?.closeAllConnections();
    shop?.close();
    installed?.remove();
    await service?.stop();
  });

  const pasted = (text) => text.replaceAll("https://entgate.example.com", service.url.origin);
  const load = (name, text) => import(pathToFileURL(installed.write(name, pasted(text))));
  const bundle = async (name, text, more) => {
    const entryPoints = [installed.write(name, pasted(text))];
    return (
      await build({ entryPoints, bundle: true, write: false, format: "esm", jsx: "automatic", nodePaths: [root("node_modules")], ...more })
    ).outputFiles[0].text;
  };

  /** The page of a customer who has logged in at the shop. */
  async function open(name, customer, script, { body = "", head = "" } = {}) {
    shop.customer = customer;
    pages[`/${name}`] = {
      script: await bundle(`${name}.jsx`, script),
      html: `<!doctype html><html lang="en"><head><title>page</title><link rel="icon" href="data:,">${head}</head><body>${body}<script type="module" src="/${name}.js"></script></body></html>`,
    };
    return visit(browser, `http://127.0.0.1:${shop.address().port}/${name}`);
  }
  const shows = (page, expected) =>
    eventually(async () => assert.equal((await page.innerText("body")).trim(), expected, page.complaints.join("\n")));
  const snapshot = async (customer) => (await service.request(`/v1/snapshot?fresh=true&customer=${customer}`)).json.snapshot;

  test("has no example that is not tried here", () => {
    const all = Object.entries(examples).map(([heading, blocks]) => [heading, ...blocks.map(({ language }) => language)].join(" "));
    assert.deepEqual(all, [
      "entgate sh js js",
      "The gate ts",
      "In React jsx",
      "In plain HTML html js css",
      "With OpenFeature js",
      "On a server js",
    ]);
    assert.equal(examples.entgate[0].text, "npm i entgate\n");
  });

  test("three lines show a feature, and hide it when it is taken away", async () => {
    await service.send(summary("cus_ada", ["sms"]));
    const show = "globalThis.showTextMessages = (there) => (document.body.innerText = there ? 'messages' : 'none');";
    const page = await open("first", "cus_ada", `${examples.entgate[1].text} ${show}`);
    await shows(page, "messages");
    await service.send(summary("cus_ada", []));
    await shows(page, "none");
    assert.deepEqual(page.complaints, []);
    await page.close();
  });

  test("misspelt lookup keys do not compile", async () => {
    installed.write(
      "typed.mts",
      `${examples["The gate"][0].text}
      import { createGate } from "entgate";
      const gate = createGate({ endpoint: "https://e" });
      gate.has("sso");
      // @ts-expect-error misspelt
      gate.has("smss");`,
    );
    const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "typed.mts"];
    await run(process.execPath, [root("node_modules/typescript/bin/tsc"), ...options], { cwd: installed.folder }).catch(({ stdout }) =>
      assert.fail(stdout),
    );
  });

  test("React renders it on the server, goes on from there and hears of a change", async () => {
    await service.send(summary("cus_react", ["sms"]));
    installed.write("shop.jsx", pasted(examples["In React"][0].text));
    const tree = `import { Messages, Shop } from "./shop.jsx"; const tree = (snapshot) => <Shop snapshot={snapshot}><Messages /></Shop>;`;
    const server = await bundle(
      "server.jsx",
      `${tree} import { renderToString } from "react-dom/server"; export const render = (snapshot) => renderToString(tree(snapshot));`,
      { format: "cjs", platform: "node" },
    );
    const { render } = createRequire(import.meta.url)(installed.write("server.cjs", server));
    const held = await snapshot("cus_react");
    const html = render(held);
    assert.equal(html, '<p class="stale">Text messages</p>');
    const page = await open(
      "react",
      "cus_react",
      `${tree} import { hydrateRoot } from "react-dom/client"; hydrateRoot(document.querySelector("main"), tree("${held}"));`,
      { body: `<main>${html}</main>` },
    );
    await page.waitForSelector("p.ready");
    await service.send(summary("cus_react", []));
    await shows(page, "Buy text messages");
    assert.deepEqual(page.complaints, []);
    await page.close();
  });

  test("plain HTML shows it, and what else there is when it is taken away", async () => {
    await service.send(summary("cus_html", ["sms"]));
    const [html, js, css] = examples["In plain HTML"].map(({ text }) => text);
    const page = await open("html", "cus_html", js, { body: html, head: `<style>${css}</style>` });
    await shows(page, "Text messages");
    await service.send(summary("cus_html", []));
    await shows(page, "Buy text messages");
    assert.deepEqual(page.complaints, []);
    await page.close();
  });

  test("OpenFeature asks it", async () => {
    await service.send(summary("cus_ada", ["sms"]));
    const client =
      "document.body.innerText = entitled; OpenFeature.addHandler('PROVIDER_CONFIGURATION_CHANGED', () => (document.body.innerText = OpenFeature.getClient().getBooleanValue('sms', true)));";
    const page = await open("openfeature", "cus_ada", `${examples["With OpenFeature"][0].text} ${client}`);
    await shows(page, "true");
    await service.send(summary("cus_ada", []));
    await shows(page, "false");
    assert.deepEqual(page.complaints, []);
    await page.close();
  });

  test("a server verifies snapshots and webhooks", async () => {
    await service.send(summary("cus_ada", ["sms"]));
    const body = JSON.stringify(summary("cus_ada", ["sms"]));
    const header = Stripe.webhooks.generateTestHeaderString({ payload: body, secret: SECRET });
    Object.assign(globalThis, {
      snapshot: await snapshot("cus_ada"),
      body,
      request: new Request("http://shop", { headers: { "stripe-signature": header } }),
    });
    const { customer, has, event } = await load("verify.mjs", `${examples["On a server"][0].text} export { customer, has, event };`);
    assert.deepEqual([customer, has("sms"), has("sso"), event], ["cus_ada", true, false, JSON.parse(body)]);
  });
});
