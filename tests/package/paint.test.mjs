// No wrong branch is ever painted: which parts are visible from the first paint on, at the first visit, after a reload and
// after the feature was revoked or granted in between. The gate has `customer`, `keys`, a function as its token, and localStorage.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { launchBrowser } from "../worker/browser.mjs";
import { eventually, summary } from "../worker/support.mjs";
import { openPage } from "./pages.mjs";
import { recordPaints, serveDelayedScript } from "./paint-recorder.mjs";
import { createToken, root, serveEdge } from "./support.mjs";
import { install } from "./tarball.mjs";

/** The CSS rule in the package's README. */
const [RULE] = readFileSync(root("www/npm/README.md"), "utf8").match(/(?<=```css\n)[^`]*/) ?? [];

const ELEMENT_PAGE = `
  import { createGate } from "entgate";
  import { define } from "entgate/element";
  const { token, ...options } = testOptions;
  define((globalThis.gate = createGate({ livemode: false, ...options, token: async () => token })));`;
const ELEMENTS = `<entitled-to feature="sms">
  <p data-part="sms">here it is</p><p slot="fallback" data-part="no-sms">buy it</p><p slot="loading" data-part="loading-sms">one moment</p>
</entitled-to>`;

describe("the first paint", { timeout: 180_000 }, () => {
  let service;
  let installed;
  let browser;
  let server;
  /** @type {Record<string, import("./paint-recorder.mjs").Site>} */
  const sites = {};
  let context;
  before(async () => {
    [service, installed, browser] = await Promise.all([serveEdge(), install("react"), launchBrowser()]);
    const common = { absWorkingDir: installed.folder, bundle: true, jsx: /** @type {const} */ ("automatic") };
    installed.write("element.mjs", ELEMENT_PAGE);
    for (const entry of ["page.jsx", "element.mjs"]) {
      const { outputFiles } = await build({ ...common, entryPoints: [entry], write: false });
      sites[entry] = await serveDelayedScript(outputFiles[0].text);
    }
    const outfile = "server.mjs";
    await build({ ...common, entryPoints: ["server.jsx"], platform: "node", format: "esm", packages: "external", outfile });
    server = await import(pathToFileURL(join(installed.folder, outfile)).href);
  });
  after(async () => {
    await browser?.close();
    for (const site of Object.values(sites)) await site.stop();
    installed?.remove();
    await service?.stop();
  });
  afterEach(async () => {
    await context?.close();
    context = undefined;
  });

  const fetchSnapshot = async (customer) => (await service.request(`/v1/snapshot?fresh=true&customer=${customer}`)).json.snapshot;

  /** The kinds of pages: each sets the page of its site for a customer, and returns the options of its script. */
  const pages = {
    element: async () => {
      sites["element.mjs"].setPage(`<style>${RULE}</style>`, ELEMENTS);
      return { site: sites["element.mjs"] };
    },
    client: async () => {
      sites["page.jsx"].setPage("", '<div id="root"></div>');
      return { site: sites["page.jsx"], isClientOnly: true };
    },
    // The gate does not get the snapshot: its stored set can be older than the page.
    server: async (customer) => {
      const snapshot = await fetchSnapshot(customer);
      sites["page.jsx"].setPage("", `<div id="root">${await server.render(snapshot)}</div>`);
      return { site: sites["page.jsx"], snapshot, isBare: true };
    },
  };

  /**
   * Visits a page until the gate has the current set, and returns the paints of the part. Visits of one context share
   * their storage.
   *
   * @param {keyof typeof pages} kind
   * @param {string} customer
   * @param {string} part What the page shows at the end.
   */
  async function visit(kind, customer, part) {
    const { site, ...options } = await pages[kind](customer);
    site.releaseScript();
    const token = await createToken(service, customer);
    const testOptions = { endpoint: service.url.origin, customer, keys: [service.signer], token, ...options };
    context ??= await browser.newContext();
    const page = await openPage(context, site.url, { testOptions, scripts: [recordPaints] });
    const paints = async () =>
      (await page.evaluate(() => globalThis.paints)).map((parts) => parts.split(" ").find((name) => /sms$/.test(name)));
    await eventually(async () => {
      assert.equal(await page.evaluate(() => globalThis.gate?.state), "ready", page.problems.join("\n"));
      assert.equal((await paints()).at(-1), part);
    });
    assert.deepEqual(page.problems, []);
    const seen = await paints();
    await page.close();
    return seen.filter((name, index) => name !== seen[index - 1]);
  }

  for (const kind of /** @type {(keyof typeof pages)[]} */ (["client", "server", "element"])) {
    // A server that renders from a snapshot knows the answer; the others read it first, and have it from then on.
    const first = kind === "server" ? [] : ["loading-sms"];
    const stale = (part) => (kind === "server" ? [] : [part]);

    test(`${kind}: a paying customer never sees the fallback, and a reload shows the feature at once`, async () => {
      const customer = `cus_paying_${kind}`;
      await service.send(summary(customer, ["sms"]));
      assert.deepEqual(await visit(kind, customer, "sms"), [...first, "sms"]);
      assert.deepEqual(await visit(kind, customer, "sms"), ["sms"]);
    });

    test(`${kind}: a customer without the feature never sees it`, async () => {
      const customer = `cus_free_${kind}`;
      await service.send(summary(customer, ["sso"]));
      assert.deepEqual(await visit(kind, customer, "no-sms"), [...first, "no-sms"]);
      assert.deepEqual(await visit(kind, customer, "no-sms"), ["no-sms"]);
    });

    test(`${kind}: a change between two visits replaces the stored answer once`, async () => {
      const customer = `cus_changed_${kind}`;
      await service.send(summary(customer, ["sms"]));
      await visit(kind, customer, "sms");
      await service.send(summary(customer, ["sso"]));
      await eventually(async () => assert.equal((await service.check(customer, "sms")).json.entitled, false));
      assert.deepEqual(await visit(kind, customer, "no-sms"), [...stale("sms"), "no-sms"]);
      assert.deepEqual(await visit(kind, customer, "no-sms"), ["no-sms"]);
      await service.send(summary(customer, ["sms"]));
      await eventually(async () => assert.equal((await service.check(customer, "sms")).json.entitled, true));
      assert.deepEqual(await visit(kind, customer, "sms"), [...stale("no-sms"), "sms"]);
    });
  }
});
