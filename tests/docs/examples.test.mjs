// Every example in JavaScript and Python on the pages of docs/ compiles against the packed npm package, and those of a whole program run
// against the built Worker.
//
// Not here: commands (commands.test.mjs), the package's README (package-readme.test.mjs), and configurations of proxies (proxies.test.mjs).

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { openPage, serveHttp } from "../package/pages.mjs";
import { createSigningKey, root } from "../package/support.mjs";
import { install } from "../package/tarball.mjs";
import { launchBrowser } from "../worker/browser.mjs";
import { eventually, KEY } from "../worker/support.mjs";
import { serveCatalog, TestCatalog } from "../worker/test-catalog.mjs";

/** @typedef {{ language: string, text: string }} Example */

/** The examples of a page in these languages. @param {string} page @param {string[]} languages */
const examplesOf = (page, ...languages) =>
  [...readFileSync(root(page), "utf8").matchAll(/^```(\w+)\n(.*?)^```$/gms)]
    .map(([, language, text]) => ({ language, text }))
    .filter(({ language }) => languages.includes(language));

/** What the examples import besides the package. */
const EXTERNAL = ["react", "@openfeature/*", "stripe", "jose", "server-only", "next/*", "./*", "../*"];

describe("the examples of the documentation", { timeout: 180_000 }, () => {
  /** @type {Awaited<ReturnType<typeof serveCatalog>>} */
  let service;
  /** @type {Awaited<ReturnType<typeof install>>} */
  let installed;
  /** @type {import("playwright-core").Browser} */
  let browser;
  /** @type {Awaited<ReturnType<typeof serveHttp>>} */
  let shop;
  /** @type {TestCatalog} */
  let catalog;
  /** @type {Record<string, { id: string }>} */
  const prices = {};
  /** @type {Record<string, { script: string, html: string }>} */
  const pages = {};
  before(async () => {
    const settings = {
      ENTGATE_TOKEN_SECRETS: "a-secret-of-the-tests-of-thirty-two-bytes-and-more",
      ENTGATE_SIGNING_KEY: JSON.stringify(createSigningKey("one").private),
      ENTGATE_ALLOWED_ORIGINS: "*",
    };
    [service, installed, browser] = await Promise.all([serveCatalog({ settings }), install(), launchBrowser()]);
    Object.assign(process.env, { ENTGATE: service.url.origin, ENTGATE_KEY: KEY });
    catalog = new TestCatalog(service);
    for (const key of ["sms", "export"]) prices[key] = (await catalog.createPlan(await catalog.createFeature(key))).price;
    await catalog.createCustomer("cus_ada");
    await catalog.subscribe({ id: "cus_ada" }, prices.sms);
    await catalog.waitForCheck({ id: "cus_ada" }, "sms", true);
    shop = await serveHttp(async (request, response) => {
      const { pathname } = new URL(request.url ?? "/", "http://shop");
      if (pathname === "/entgate-token") {
        const body = new URLSearchParams({ customer: "cus_ada" });
        return response.end((await service.request("/v1/tokens", { method: "POST", body })).json.token);
      }
      const [type, text] = pathname.endsWith(".js")
        ? ["text/javascript", pages[pathname.slice(1, -3)]?.script]
        : ["text/html", pages[pathname.slice(1)]?.html];
      response.writeHead(200, { "content-type": `${type}; charset=utf-8` }).end(text);
    });
  });
  after(async () => {
    await browser?.close();
    await shop?.stop();
    installed?.remove();
    await service?.stop();
  });

  /** @param {string} text */
  const adapt = (text) =>
    text
      .replaceAll("https://entgate.example.com", service.url.origin)
      .replaceAll("http://localhost:8787", service.url.origin)
      .replaceAll("createGate({", "createGate({ livemode: false,");

  /**
   * @param {string} text
   * @param {import("esbuild").BuildOptions} options
   */
  async function bundle(text, options) {
    const contents = adapt(text);
    const stdin = { contents, resolveDir: installed.folder, loader: /** @type {const} */ ("jsx") };
    const { outputFiles } = await build({
      stdin,
      bundle: true,
      write: false,
      format: "esm",
      jsx: "automatic",
      logLevel: "silent",
      ...options,
    });
    return outputFiles?.[0].text ?? "";
  }

  test("each one in JavaScript compiles, and imports only what the package exports", async () => {
    const documents = globSync("docs/**/*.md", { cwd: root("") }).sort();
    let count = 0;
    for (const page of documents) {
      for (const { text } of examplesOf(page, "js", "jsx")) {
        count += 1;
        await bundle(text, { external: EXTERNAL, platform: "node" }).catch((error) => assert.fail(`${page}: ${error.message}\n${text}`));
      }
    }
    assert.ok(count > 20, `${count} examples`);
  });

  let imported = 0;
  /** Runs an example as a module, and returns these values of it. @param {string} text @param {string[]} values */
  async function run(text, ...values) {
    const code = await bundle(`${text}\n${values.length ? `export { ${values.join(", ")} };` : ""}`, {
      platform: "node",
      nodePaths: [root("node_modules")],
      banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    });
    imported += 1;
    return import(pathToFileURL(installed.write(`example-${imported}.mjs`, code)).href);
  }

  describe("docs/node.md", () => {
    const [client, middleware, sync, plain, sdk] = examplesOf("docs/node.md", "js");

    test("the client checks a feature", async () => {
      const { entitled, reason } = await run(client.text, "entitled", "reason");
      assert.deepEqual([entitled, reason], [true, "active_entitlement"]);
    });

    test("the middleware passes on, denies, and reports what is not known", async () => {
      const { requires } = await run(middleware.text);
      /** @param {string} feature @param {string} customer */
      const call = async (feature, customer) => {
        /** @type {any} */
        const result = {};
        const response = {
          status: (/** @type {number} */ status) => Object.assign(result, { status }) && response,
          set: (/** @type {string} */ name, /** @type {string} */ value) => Object.assign(result, { [name]: value }) && response,
          send: (/** @type {string} */ text) => Object.assign(result, { text }),
        };
        await requires(feature)({ user: { customer } }, response, () => Object.assign(result, { passed: true }));
        return result;
      };
      assert.deepEqual(await call("sms", "cus_ada"), { passed: true });
      assert.deepEqual(await call("export", "cus_ada"), { status: 403, text: "export is not a part of your plan." });
      const unknown = await call("sms", "an invalid id");
      assert.deepEqual([unknown.status, unknown["Retry-After"], unknown.passed], [503, "1", undefined]);
    });

    test("a sync returns a version, and a check without the package and Stripe's SDK work", async () => {
      const { version } = await run(sync.text, "version");
      assert.ok(version >= 1);
      assert.equal((await run(plain.text, "entitled")).entitled, true);
      const { data } = await run(sdk.text, "data");
      assert.deepEqual(
        data.map(({ lookup_key }) => lookup_key),
        ["sms"],
      );
    });
  });

  test("docs/errors.md: the fallback denies in an outage", async () => {
    const [example] = examplesOf("docs/errors.md", "js");
    const at = (/** @type {string} */ endpoint) => `const endpoint = "${endpoint}"; const key = process.env.ENTGATE_KEY;\n${example.text}`;
    assert.equal((await run(at(service.url.origin), "entitled")).entitled, true);
    assert.equal((await run(at(`${service.url.origin}/nowhere`), "entitled")).entitled, false);
  });

  test("docs/openfeature.md: a server evaluates a flag", async () => {
    const [server] = examplesOf("docs/openfeature.md", "js");
    assert.equal((await run(server.text, "entitled")).entitled, true);
  });

  test("docs/python.md: each program prints what cus_ada may use", async () => {
    const programs = examplesOf("docs/python.md", "python");
    const python = root(".tools/venv/bin/python");
    const outputs = await Promise.all(programs.map(({ text }) => promisify(execFile)(python, ["-c", text])));
    assert.deepEqual(
      outputs.map(({ stdout }) => stdout.trim()),
      ["True", "['sms']", "True"],
    );
  });

  /**
   * Opens a page with this script, and checks that it follows a change.
   *
   * @param {string} name
   * @param {string} script
   * @param {string} body
   * @param {(page: import("playwright-core").Page, isEntitled: boolean) => Promise<unknown>} wait
   */
  async function follow(name, script, body, wait) {
    pages[name] = {
      script: await bundle(script, { nodePaths: [root("node_modules")], define: { "process.env.NODE_ENV": '"production"' } }),
      html: `<!doctype html><html lang="en"><head><title>page</title><link rel="icon" href="data:,"></head><body>${body}<script type="module" src="/${name}.js"></script></body></html>`,
    };
    const { page, problems } = await open(name);
    await wait(page, true);
    const [subscription] = (await catalog.sdk.subscriptions.list({ customer: "cus_ada" })).data;
    await catalog.sdk.subscriptions.cancel(subscription.id);
    await wait(page, false);
    await catalog.subscribe({ id: "cus_ada" }, prices.sms);
    await wait(page, true);
    assert.deepEqual(problems, []);
    await page.close();
  }
  /** @param {string} name */
  async function open(name) {
    const page = await openPage(browser, `${shop.url}${name}`);
    return { page, problems: page.problems };
  }
  /** @param {string} text */
  const visible = (text) => (/** @type {import("playwright-core").Page} */ page) =>
    // biome-ignore lint/performance/useDomNodeTextContent: the text of hidden elements must not count
    eventually(async () => assert.equal((await page.innerText("body")).trim(), text));
  /** @type {(page: import("playwright-core").Page, isEntitled: boolean) => Promise<unknown>} */
  const branch = (page, isEntitled) => visible(isEntitled ? "Text messages" : "Buy text messages")(page);

  test("docs/html.md: the element follows a change", async () => {
    const [{ text: html }] = examplesOf("docs/html.md", "html");
    const [{ text: script }] = examplesOf("docs/html.md", "js");
    await follow("html", script, html, branch);
  });

  test("docs/html.md: a script without the element follows a change", async () => {
    const [, { text }] = examplesOf("docs/html.md", "js");
    await follow("script", text, '<p id="messages" hidden>Text messages</p>', (page, isEntitled) =>
      visible(isEntitled ? "Text messages" : "")(page),
    );
  });

  test("docs/react.md: the app follows a change", async () => {
    const [wrap, use] = examplesOf("docs/react.md", "jsx").map(({ text }) => text);
    const render =
      'import { createRoot } from "react-dom/client"; createRoot(document.querySelector("main")).render(<App><Messages /></App>);';
    await follow("react", `${wrap}\n${use}\n${render}`, "<main></main>", branch);
  });
});
