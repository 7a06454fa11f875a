// The panel "Playground": each button sends the request that it shows, and the edge and the demo shop follow.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchBrowser } from "../worker/browser.mjs";
import { startWithCatalog, startWorker } from "./fixture.mjs";
import { checkAppearance, openConsole } from "./support.mjs";

const KEYS = ["sms", "export", "sso", "audit_log"];
const CUSTOMER_ID = "#panel-playground .customer-summary code";

/** @typedef {import("playwright-core").Page} Page */

describe("the playground", { timeout: 120_000 }, () => {
  /** @type {Awaited<ReturnType<typeof startWithCatalog>>} */
  let fixture;
  before(async () => {
    fixture = await startWithCatalog();
  });
  after(() => fixture.stop());

  /** @type {{ page: Page, errors: string[] } | undefined} */
  let opened;
  /** Opens the playground with a new customer. */
  async function startPlayground() {
    if (!opened) {
      opened = await openConsole(fixture.browser, fixture.service, "playground");
      await opened.page.click("#panel-playground .empty button");
    } else {
      const previous = await opened.page.textContent(CUSTOMER_ID);
      await opened.page.click('#panel-playground button:text-is("New customer")');
      await opened.page.waitForFunction(
        ([selector, previous]) => ![previous, undefined].includes(document.querySelector(selector ?? "")?.textContent),
        [CUSTOMER_ID, previous],
      );
    }
    await opened.page.waitForSelector("#panel-playground .shop-customer .badge:text-is('Live')");
    return opened;
  }

  /**
   * Clicks the button of an action, waits for the result, and returns the requests that were sent.
   *
   * @param {Page} page
   * @param {string} title
   */
  async function runAction(page, title) {
    /** @type {string[]} */
    const sent = [];
    const record = (/** @type {import("playwright-core").Request} */ request) => {
      if (request.method() === "GET") return;
      sent.push(`${request.method()} ${new URL(request.url()).pathname} ${request.postData() ?? ""}`.trim());
    };
    page.on("request", record);
    await page.click(`.plan-action button[aria-label="${title}"]:not([aria-disabled=true])`);
    await page.waitForSelector(`.plan-action:has(button[aria-label="${title}"]) .plan-action-result[data-tone]:not([data-tone=""])`);
    page.off("request", record);
    return sent;
  }

  /**
   * Waits until the edge grants exactly these features.
   *
   * @param {Page} page
   * @param {string[]} keys
   */
  function edgeGrants(page, keys) {
    return page.waitForFunction((expected) => {
      const rows = [...document.querySelectorAll("#panel-playground .table tbody tr")];
      const granted = rows.filter((row) => row.textContent?.includes("yes")).map((row) => row.querySelector("code")?.textContent);
      return granted.join() === expected;
    }, keys.join());
  }

  test("the edge and the demo shop follow every action of a lifecycle", async () => {
    const { page, errors } = await startPlayground();
    for (const { why, title, keys } of [
      { why: "a subscription grants its features", title: "Subscribe to Starter", keys: ["sms"] },
      { why: "an upgrade grants more features", title: "Upgrade to Pro", keys: ["sms", "export", "sso"] },
      { why: "an attached feature waits for the next period", title: "Attach the audit log to Pro", keys: ["sms", "export", "sso"] },
      { why: "applying grants it immediately", title: "Apply now", keys: KEYS },
      { why: "a detached feature stays until the next period", title: "Detach the audit log", keys: KEYS },
      { why: "the next period revokes it", title: "Advance to the next period", keys: ["sms", "export", "sso"] },
      { why: "a downgrade revokes features", title: "Downgrade to Starter", keys: ["sms"] },
      { why: "a scheduled cancellation revokes nothing yet", title: "Cancel at the end of the period", keys: ["sms"] },
      { why: "the end of the period revokes every feature", title: "Advance to the next period", keys: [] },
      { why: "a new subscription grants its features", title: "Subscribe to Starter", keys: ["sms"] },
      { why: "an immediate cancellation revokes every feature", title: "Cancel now", keys: [] },
    ]) {
      await runAction(page, title);
      await edgeGrants(page, keys).catch(() => assert.fail(why));
      const unlocked = await page.$$eval('#panel-playground .gated-section[data-entitled="true"]', (sections) =>
        sections.map((section) => section.getAttribute("data-feature")),
      );
      assert.deepEqual(unlocked, keys, why);
    }
    assert.deepEqual(errors, []);
  });

  test("a button sends the request that it shows as curl", async () => {
    const { page } = await startPlayground();
    for (const title of ["Subscribe to Starter", "Upgrade to Pro", "Advance to the next period", "Cancel now"]) {
      const action = page.locator(`.plan-action:has(button[aria-label="${title}"])`);
      await action.locator(".plan-action-header button:not([aria-disabled=true])").waitFor();
      const line = (await action.locator("summary").textContent()) ?? "";
      const command = (await action.locator(".command code").textContent()) ?? "";
      const data = [...command.matchAll(/-d '?([^'\s]+)'?/g)].map(([, pair]) => pair.split("="));
      const expected = `${line} ${new URLSearchParams(data)}`.trim();
      assert.deepEqual(await runAction(page, title), [expected], title);
      const [method, path] = line.split(" ");
      assert.equal(command.split(" \\\n")[0], `curl ${method === "POST" ? "" : `-X ${method} `}${fixture.service.url.origin}${path}`);
    }
  });

  test("an unavailable action shows why, and sends nothing", async () => {
    const { page } = await startPlayground();
    const button = page.locator('.plan-action button[aria-label="Upgrade to Pro"]');
    assert.equal(await button.getAttribute("aria-disabled"), "true");
    const text = await page.textContent('.plan-action:has(button[aria-label="Upgrade to Pro"])');
    assert.match(text ?? "", /There is no subscription yet\./);
    await button.click({ force: true });
    assert.equal(await page.locator("#panel-playground .action-log > li").count(), 0);
  });

  test("an error of the catalog is shown at the action", async () => {
    const { page } = await startPlayground();
    const customer = (await page.textContent(CUSTOMER_ID)) ?? "";
    await fixture.catalog.sdk.customers.del(customer);
    await runAction(page, "Subscribe to Starter");
    const result = page.locator('.plan-action:has(button[aria-label="Subscribe to Starter"]) .plan-action-result');
    assert.equal(await result.getAttribute("data-tone"), "danger");
    assert.match((await result.textContent()) ?? "", new RegExp(customer));
  });

  test("an existing customer can be loaded, and keeps its other subscriptions", async () => {
    const { catalog } = fixture;
    const { id } = await catalog.sdk.customers.create({ name: "Ada" });
    const other = await catalog.subscribe({ id }, (await catalog.createPlan(await catalog.createFeature("seats"))).price);
    const { page } = await startPlayground();
    await page.click("#panel-playground .other-customer summary");
    await page.fill("#playground-customer", id);
    await page.press("#playground-customer", "Enter");
    await page.waitForSelector(`${CUSTOMER_ID}:text-is("${id}")`);
    assert.match((await page.textContent("#panel-playground .customer-summary")) ?? "", /real time/);
    await runAction(page, "Subscribe to Starter");
    await runAction(page, "Cancel now");
    assert.equal(await catalog.subscriptionStatus(other), "active");
    await page.fill("#playground-customer", "cus_missing");
    await page.press("#playground-customer", "Enter");
    await page.waitForSelector("#panel-playground .notice.danger:has-text('cus_missing')");
  });

  test("the playground is accessible and fits in both themes and three widths", async () => {
    const { page } = await startPlayground();
    for (const title of ["Subscribe to Starter", "Upgrade to Pro", "Attach the audit log to Pro", "Advance to the next period"])
      await runAction(page, title);
    await edgeGrants(page, KEYS);
    await page.click('.plan-action:has(button[aria-label="Upgrade to Pro"]) summary');
    await page.evaluate(() => scrollTo(0, 0));
    await checkAppearance(page, "playground");
    await page.close();
  });
});

test("with Stripe as the source, the playground links to the demo shop", { timeout: 60_000 }, async () => {
  const service = await startWorker({ ENTGATE_SOURCE: "stripe" });
  const browser = await launchBrowser();
  try {
    const { page } = await openConsole(browser, service, "playground");
    await page.waitForSelector("#panel-playground .empty:has-text('The playground requires the catalog')");
    await page.click('#panel-playground button:text-is("Open demo shop")');
    await page.waitForSelector("#panel-shop:not([hidden])");
    await page.close();
  } finally {
    await browser.close();
    await service.stop();
  }
});
