// Runs every example of the package's README unchanged, except for the endpoint, the mode and the key.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import Stripe from "stripe";
import { openPage, serveHttp } from "../package/pages.mjs";
import { root, serveEdge } from "../package/support.mjs";
import { install, run } from "../package/tarball.mjs";
import { launchBrowser } from "../worker/browser.mjs";
import { eventually, KEY, SECRET, summary } from "../worker/support.mjs";

/** @type {Record<string, { language: string, text: string }[]>} The examples by the headings of their sections. */
const examples = {};
for (const section of readFileSync(root("www/npm/README.md"), "utf8").split(/^#+ /m).slice(1)) {
  const blocks = [...section.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language, text]) => ({ language, text }));
  if (blocks.length) examples[section.split("\n")[0]] = blocks;
}

describe("the package's README", { timeout: 120_000 }, () => {
  let service;
  let installed;
  let browser;
  let shop;
  let loggedIn;
  /** @type {Record<string, { script: string, html: string }>} */
  const pages = {};
  before(async () => {
    [service, installed, browser] = await Promise.all([serveEdge(), install(), launchBrowser()]);
    process.env.ENTGATE_KEY = KEY;
    process.env.WEBHOOK_SECRET = SECRET;
    // A backend with the API of Express that knows the customer of the session.
    const routes = {};
    globalThis.app = {
      get(path, handler) {
        routes[path] = handler;
      },
    };
    shop = await serveHttp((request, response) => {
      const { pathname } = new URL(request.url ?? "/", "http://shop");
      if (routes[pathname]) return routes[pathname]({ user: { customer: loggedIn } }, { send: (text) => response.end(text) });
      const [type, text] = pathname.endsWith(".js")
        ? ["text/javascript", pages[pathname.slice(0, -3)]?.script]
        : ["text/html", pages[pathname]?.html];
      response.writeHead(200, { "content-type": `${type}; charset=utf-8` }).end(text);
    });
    await importExample("backend.mjs", examples.entgate[2].text);
  });
  after(async () => {
    await browser?.close();
    await shop?.stop();
    installed?.remove();
    await service?.stop();
  });

  const adapt = (text) =>
    text
      .replaceAll("https://entgate.example.com", service.url.origin)
      .replaceAll(/(createGate\(|verifySnapshot\(snapshot, )\{/g, "$1{ livemode: false,")
      .replaceAll("<GateProvider", "<GateProvider livemode={false}")
      .replace(/(?<=keys = \[).*(?=\];)/, JSON.stringify(service.signer));
  const importExample = (name, text) => import(pathToFileURL(installed.write(name, adapt(text))).href);
  const bundle = async (name, text, more = {}) => {
    const entryPoints = [installed.write(name, adapt(text))];
    const { outputFiles } = await build({
      entryPoints,
      bundle: true,
      write: false,
      format: "esm",
      jsx: "automatic",
      nodePaths: [root("node_modules")],
      ...more,
    });
    return outputFiles[0].text;
  };

  /** Opens a page of the shop with this script, for a customer who is logged in. */
  async function open(name, customer, script, { body = "", head = "" } = {}) {
    loggedIn = customer;
    pages[`/${name}`] = {
      script: await bundle(`${name}.jsx`, script),
      html: `<!doctype html><html lang="en"><head><title>page</title><link rel="icon" href="data:,">${head}</head><body>${body}<script type="module" src="/${name}.js"></script></body></html>`,
    };
    return openPage(browser, `${shop.url}${name}`);
  }
  const waitForText = (page, expected) =>
    // biome-ignore lint/performance/useDomNodeTextContent: the text of hidden elements must not count
    eventually(async () => assert.equal((await page.innerText("body")).trim(), expected, page.problems.join("\n")));
  const fetchSnapshot = async (customer) => (await service.request(`/v1/snapshot?fresh=true&customer=${customer}`)).json.snapshot;

  test("has no example that is not run here", () => {
    const all = Object.entries(examples).map(([heading, blocks]) => [heading, ...blocks.map(({ language }) => language)].join(" "));
    assert.deepEqual(all, [
      "entgate sh js js",
      "Gate ts",
      "First paint js",
      "React jsx",
      "HTML html js css",
      "OpenFeature js",
      "Server js",
      "Client js",
    ]);
    assert.equal(examples.entgate[0].text, "npm i entgate\n");
  });

  test("three lines show a feature, and hide it when it is revoked", async () => {
    await service.send(summary("cus_ada", ["sms"]));
    const show = "globalThis.showTextMessages = (there) => (document.body.innerText = there ? 'messages' : 'none');";
    const page = await open("first", "cus_ada", `${examples.entgate[1].text} ${show}`);
    await waitForText(page, "messages");
    await service.send(summary("cus_ada", []));
    await waitForText(page, "none");
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test("a stored set answers at once after a reload", async () => {
    await service.send(summary("cus_ada", ["sms"]));
    // The replica is written once a second. Until then the page would store the set of the test before.
    const inReplica = () => service.request("/v1/check?customer=cus_ada&feature=sms");
    await eventually(async () => assert.equal((await inReplica()).json.entitled, true));
    const show = "globalThis.gate = gate; globalThis.first = [gate.state, gate.has('sms')];";
    const page = await open("stored", "cus_ada", `${examples["First paint"][0].text} ${show}`);
    assert.deepEqual(await page.evaluate(() => globalThis.first), ["loading", false]);
    await page.waitForFunction(() => globalThis.gate.state === "ready");
    assert.equal(await page.evaluate(() => globalThis.gate.has("sms")), true);
    await page.reload();
    assert.deepEqual(await page.evaluate(() => globalThis.first), ["stale", true]);
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test("unknown lookup keys do not compile", async () => {
    installed.write(
      "typed.mts",
      `${examples.Gate[0].text}
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

  test("React renders the page on the server, hydrates it and follows a change", async () => {
    await service.send(summary("cus_react", ["sms"]));
    installed.write("shop.jsx", adapt(examples.React[0].text));
    const tree = `import { Messages, Shop } from "./shop.jsx"; const tree = (snapshot) => <Shop snapshot={snapshot}><Messages /></Shop>;`;
    const server = await bundle(
      "server.jsx",
      `${tree} import { renderToString } from "react-dom/server"; export const render = (snapshot) => renderToString(tree(snapshot));`,
      { format: "cjs", platform: "node" },
    );
    const { render } = createRequire(import.meta.url)(installed.write("server.cjs", server));
    const snapshot = await fetchSnapshot("cus_react");
    const html = render(snapshot);
    assert.equal(html, '<p class="stale">Text messages</p>');
    const page = await open(
      "react",
      "cus_react",
      `${tree} import { hydrateRoot } from "react-dom/client"; hydrateRoot(document.querySelector("main"), tree("${snapshot}"));`,
      { body: `<main>${html}</main>` },
    );
    await page.waitForSelector("p.ready");
    await service.send(summary("cus_react", []));
    await waitForText(page, "Buy text messages");
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test("plain HTML shows the feature, and its fallback when the feature is revoked", async () => {
    await service.send(summary("cus_html", ["sms"]));
    const [html, js, css] = examples.HTML.map(({ text }) => text);
    const page = await open("html", "cus_html", js, { body: html, head: `<style>${css}</style>` });
    await waitForText(page, "Text messages");
    await service.send(summary("cus_html", []));
    await waitForText(page, "Buy text messages");
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test("OpenFeature evaluates the feature", async () => {
    await service.send(summary("cus_ada", ["sms"]));
    const client =
      "document.body.innerText = entitled; OpenFeature.addHandler('PROVIDER_CONFIGURATION_CHANGED', () => (document.body.innerText = OpenFeature.getClient().getBooleanValue('sms', true)));";
    const page = await open("openfeature", "cus_ada", `${examples.OpenFeature[0].text} ${client}`);
    await waitForText(page, "true");
    await service.send(summary("cus_ada", []));
    await waitForText(page, "false");
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test("a server verifies snapshots and webhooks", async () => {
    await service.send(summary("cus_ada", ["sms"]));
    const body = JSON.stringify(summary("cus_ada", ["sms"]));
    const header = Stripe.webhooks.generateTestHeaderString({ payload: body, secret: SECRET });
    Object.assign(globalThis, {
      snapshot: await fetchSnapshot("cus_ada"),
      body,
      request: new Request("http://shop", { headers: { "stripe-signature": header } }),
    });
    const { customer, has, event } = await importExample("verify.mjs", `${examples.Server[0].text} export { customer, has, event };`);
    assert.deepEqual([customer, has("sms"), has("sso"), event], ["cus_ada", true, false, JSON.parse(body)]);
  });
  test("a backend grants a feature for a week, and sees why the customer has it", async () => {
    await service.send(summary("cus_ada", ["sms"]));
    const exported = "export { entitled, trial, now, reason, contributions, changes };";
    const results = await importExample("client.mjs", `${examples.Client[0].text} ${exported}`);
    const { entitled, trial, now, reason, contributions, changes } = results;
    assert.deepEqual([entitled, now.entitled, now.reason, reason], [false, true, "override", "override"]);
    assert.equal(trial.expires_at - trial.starts_at, 604_800);
    const granting = contributions.filter(({ effect }) => effect === "grants");
    assert.deepEqual(
      granting.map(({ type, override }) => [type, override?.id]),
      [["override", trial.id]],
    );
    assert.deepEqual(changes[0], ["override", ["sso"], []]);
  });
});
