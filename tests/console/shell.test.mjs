// The panel "Shell" with the built Worker: the commands of a guide, triggered events, listening, keys and confirmations.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchBrowser } from "../worker/browser.mjs";
import { KEY } from "../worker/support.mjs";
import { startWithCatalog, startWorker } from "./fixture.mjs";
import { checkAppearance, focusedId, openConsole, openPanel } from "./support.mjs";

const SUMMARY_EVENT = "entitlements.active_entitlement_summary.updated";

/** @typedef {import("playwright-core").Page} Page */

describe("the shell", { timeout: 120_000 }, () => {
  /** @type {Awaited<ReturnType<typeof startWithCatalog>>} */
  let fixture;
  before(async () => {
    fixture = await startWithCatalog();
  });
  after(() => fixture.stop());

  /** @type {{ page: Page, errors: string[] } | undefined} */
  let opened;
  /** Opens the shell with a clear screen. */
  async function openShell() {
    opened ??= await openConsole(fixture.browser, fixture.service, "shell");
    await run(opened.page, "clear");
    return opened;
  }

  test("the commands of a guide create a subscription, and its customer is entitled", async () => {
    const { page, errors } = await openShell();
    const feature = await runForJson(page, 'stripe entitlements features create --name "Text messages" --lookup-key sms');
    assert.deepEqual([feature.object, feature.name, feature.lookup_key], ["entitlements.feature", "Text messages", "sms"]);
    const product = await runForJson(page, "products create --name Pro --id pro");
    await runForJson(page, `products create_feature ${product.id} --entitlement-feature ${feature.id}`);
    assert.equal((await runForJson(page, "products list_features pro")).data[0].entitlement_feature.id, feature.id);
    const price = await runForJson(page, "prices create --product pro --currency usd --unit-amount 1500 --recurring.interval month");
    await runForJson(page, "customers create --id cus_ada");
    const subscription = await runForJson(page, `subscriptions create --customer cus_ada -d "items[0][price]=${price.id}"`);
    assert.equal(subscription.status, "active");
    assert.equal((await runForJson(page, "entitlements active_entitlements list --customer cus_ada")).data[0].lookup_key, "sms");
    await fixture.catalog.waitForCheck({ id: "cus_ada" }, "sms", true);
    assert.equal((await runForJson(page, "check --customer cus_ada --feature sms")).entitled, true);
    assert.deepEqual(errors, []);
  });

  test("errors of the shell and of the Worker are printed", async () => {
    const { page } = await openShell();
    await run(page, "featurs list");
    assert.equal(
      await lastOutput(page, ".line.danger"),
      'Unknown command "featurs" for "stripe". Did you mean "features"?\nIf not, see "stripe --help" for a list of available commands.',
    );
    const { error } = await runForJson(page, "customers retrieve cus_missing");
    assert.deepEqual([error.code, error.message], ["resource_missing", "No such customer: 'cus_missing'"]);
    await run(page, "customers retrieve cus_missing -s");
    assert.match((await page.textContent(".shell-log")) ?? "", /< 404\n[\s\S]*< request-id: req_/);
  });

  test("a trigger adds features, removes them, and emits every supported event", async () => {
    const { page } = await openShell();
    const { sdk } = fixture.catalog;
    const { id } = await sdk.customers.create({});
    await run(page, `trigger ${SUMMARY_EVENT} --customer ${id} --add tax --add vat`);
    assert.equal(await lastOutput(page, ".line.success"), `Trigger succeeded! customer: ${id}  added: tax, vat`);
    await fixture.catalog.waitForCheck({ id }, "tax", true);
    await run(page, `trigger ${SUMMARY_EVENT} --customer ${id} --remove tax`);
    assert.match(
      await lastOutput(page, ".line.danger"),
      /^Trigger failed: (sub_\w+) also grants vat\. Remove them together, or cancel it with: subscriptions cancel \1$/,
    );
    await run(page, `trigger ${SUMMARY_EVENT} --customer ${id} --remove tax,vat`);
    await fixture.catalog.waitForCheck({ id }, "tax", false);
    for (const event of [
      "customer.created",
      "customer.deleted",
      "customer.subscription.created",
      "customer.subscription.deleted",
      "product.created",
      SUMMARY_EVENT,
    ]) {
      await run(page, `trigger ${event}`);
      assert.match(await lastOutput(page, ".line.success"), /^Trigger succeeded! /, event);
      const printedId = (await lastOutput(page, ".line")).trim().split(/\s+/)[1];
      assert.equal((await sdk.events.list({ type: event, limit: 1 })).data[0].id, printedId, event);
    }
  });

  test("a trigger does not cancel a subscription that the shell did not create", async () => {
    const { page } = await openShell();
    const { catalog } = fixture;
    const { price } = await catalog.createPlan(await catalog.createFeature("seats"));
    const customer = await catalog.sdk.customers.create({});
    const { id } = await catalog.subscribe(customer, price);
    await run(page, `trigger ${SUMMARY_EVENT} --customer ${customer.id} --remove seats`);
    assert.equal(
      await lastOutput(page, ".line.danger"),
      `Trigger failed: ${id} grants seats, and was not created by the shell. Cancel it with: subscriptions cancel ${id}`,
    );
    assert.equal(await catalog.subscriptionStatus({ id }), "active");
  });

  test("`listen` prints each event and its outcome until Ctrl-C", async () => {
    const { page } = await openShell();
    const { catalog } = fixture;
    const { price } = await catalog.createPlan(await catalog.createFeature("reports"));
    const customer = await catalog.sdk.customers.create({});
    await type(page, "listen");
    await page.waitForSelector(".shell-log .success:has-text('Ready!')");
    await catalog.subscribe(customer, price);
    const [event] = await catalog.summaryEvents(customer);
    await waitForOutput(page, `--> ${SUMMARY_EVENT} [${event.id}]`);
    await waitForOutput(page, `<--  applied ${customer.id} version 1 [${event.id}]`);
    // The command keeps running while another panel is open.
    await openPanel(page, "overview");
    await openPanel(page, "shell");
    await page.focus("#shell-input");
    await page.keyboard.press("Control+c");
    await waitUntilReady(page);
    assert.equal(await lastOutput(page, ".line"), "^C");
    await run(page, "version");
    assert.match(await lastOutput(page, ".line"), /^entgate \d/);
  });

  test("a DELETE asks for a confirmation", async () => {
    const { page } = await openShell();
    const { customers } = fixture.catalog.sdk;
    const { id } = await customers.create({});
    await type(page, `customers delete ${id}`);
    await waitForOutput(page, "Enter 'yes' to confirm:");
    await run(page, "no");
    assert.equal(await lastOutput(page, ".line"), "Exiting without execution. User did not confirm the command.");
    assert.equal((await customers.retrieve(id)).deleted, undefined);
    await type(page, `customers delete ${id}`);
    await waitForOutput(page, "Enter 'yes' to confirm:");
    assert.deepEqual(await runForJson(page, "yes"), { id, object: "customer", deleted: true });
  });

  test("keys complete the line, browse previous commands and clear the screen, and Tab can leave the input", async () => {
    const { page } = await openConsole(fixture.browser, fixture.service, "shell");
    const value = () => page.inputValue("#shell-input");
    await page.focus("#shell-input");
    await page.keyboard.type("feat");
    await page.keyboard.press("Tab");
    assert.equal(await value(), "features ");
    await page.keyboard.type("cr");
    await page.keyboard.press("Tab");
    await page.keyboard.type("--lo");
    await page.keyboard.press("Tab");
    assert.equal(await value(), "features create --lookup-key ");
    await page.keyboard.press("Tab");
    assert.notEqual(await focusedId(page), "shell-input", "without a completion, Tab moves the focus");

    await page.fill("#shell-input", "c");
    await page.keyboard.press("Tab");
    assert.equal(await lastOutput(page, ".line"), "check  clear  customers");
    assert.equal(await focusedId(page), "shell-input");
    await page.keyboard.press("Tab");
    assert.notEqual(await focusedId(page), "shell-input", "after the candidates, Tab moves the focus");
    await page.fill("#shell-input", "feat");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Tab");
    assert.deepEqual([await value(), (await focusedId(page)) === "shell-input"], ["feat", false], "after Escape, Tab moves the focus");

    await run(page, "version");
    await run(page, "health");
    await page.fill("#shell-input", "half a li");
    for (const [key, expected] of [
      ["ArrowUp", "health"],
      ["ArrowUp", "version"],
      ["ArrowUp", "version"],
      ["ArrowDown", "health"],
      ["ArrowDown", "half a li"],
      ["ArrowDown", "half a li"],
    ]) {
      await page.keyboard.press(key);
      assert.equal(await value(), expected, key);
    }
    await page.keyboard.press("Control+c");
    assert.equal(await value(), "");
    await run(page, "version");
    await page.keyboard.press("Control+l");
    assert.equal(await page.textContent(".shell-log"), "");
    await run(page, "help");
    await run(page, "clear");
    assert.equal(await page.textContent(".shell-log"), "");
    await page.close();
  });

  test("a pasted command of several lines becomes one line", async () => {
    const { page } = await openShell();
    await page.evaluate(() => {
      const clipboardData = new DataTransfer();
      clipboardData.setData("text", 'stripe features create \\\n  --name="Single sign-on" \\\n  --lookup-key=sso\n');
      document.querySelector("#shell-input")?.dispatchEvent(new ClipboardEvent("paste", { clipboardData, cancelable: true }));
    });
    assert.equal(await page.inputValue("#shell-input"), 'stripe features create --name="Single sign-on" --lookup-key=sso');
  });

  test("responses are rendered as text, and the key is neither stored nor printed", async () => {
    const { page, errors } = await openConsole(fixture.browser, fixture.service, "shell");
    const name = '<img src=x onerror="document.title=1"></pre><script>document.title=1</script>';
    assert.equal((await runForJson(page, `customers create --name '${name}'`)).name, name);
    assert.equal(await page.locator(".shell-log :is(img, script)").count(), 0);
    await run(page, `features list --api-key ${KEY.replace("entgate", "other")}`);
    assert.equal(await lastOutput(page, ".line.danger"), "--api-key: the key at the top of the page is sent with every request");
    const stored = await page.evaluate(() =>
      [JSON.stringify({ ...localStorage, ...sessionStorage }), document.cookie, document.querySelector("#panel-shell")?.innerHTML].join(),
    );
    assert.equal(stored.includes(KEY), false);
    assert.deepEqual(errors, []);

    await page.fill("#key", "");
    await page.press("#key", "Enter");
    await run(page, "features list");
    assert.equal(
      await lastOutput(page, ".line.danger"),
      "No API key. Enter a server key at the top of the page; it is sent with every request.",
    );
    await page.close();
  });

  test("the shell is accessible and fits in both themes and three widths", async () => {
    const { page } = await openConsole(fixture.browser, fixture.service, "shell");
    await run(page, `trigger ${SUMMARY_EVENT} --customer ${(await fixture.catalog.sdk.customers.create({})).id} --add export`);
    await runForJson(page, "features list --limit 1");
    await run(page, "features create --nam x");
    await checkAppearance(page, "shell");
    await page.close();
  });
});

test("with Stripe as the source, a trigger prints the command that sends the event", { timeout: 60_000 }, async () => {
  const service = await startWorker({ ENTGATE_SOURCE: "stripe" });
  const browser = await launchBrowser();
  try {
    const { page } = await openConsole(browser, service, "shell");
    await run(page, `trigger ${SUMMARY_EVENT} --customer cus_ada --add sms`);
    assert.match(await lastOutput(page, ".line.warning"), /node scripts\/send-event\.mjs cus_ada sms$/);
    await run(page, `trigger ${SUMMARY_EVENT} --customer "cus_ada;id" --add "$(id)"`);
    assert.match(await lastOutput(page, ".line.warning"), /node scripts\/send-event\.mjs 'cus_ada;id' '\$\(id\)'$/);
    assert.equal((await runForJson(page, "check --customer cus_ada --feature sms")).reason, "unknown_customer");
    await page.close();
  } finally {
    await browser.close();
    await service.stop();
  }
});

/**
 * Types a line and submits it.
 *
 * @param {Page} page
 * @param {string} line
 */
async function type(page, line) {
  await page.fill("#shell-input", line);
  await page.press("#shell-input", "Enter");
}

/**
 * Waits until the next line can be typed.
 *
 * @param {Page} page
 */
function waitUntilReady(page) {
  return page.waitForSelector('.shell-input-line:not([aria-busy="true"])');
}

/**
 * Runs a command and waits for its end.
 *
 * @param {Page} page
 * @param {string} line
 */
async function run(page, line) {
  await type(page, line);
  await waitUntilReady(page);
}

/**
 * The text of the last output that matches a selector.
 *
 * @param {Page} page
 * @param {string} selector
 * @returns {Promise<string>}
 */
async function lastOutput(page, selector) {
  return (await page.locator(`.shell-log ${selector}`).last().textContent()) ?? "";
}

/**
 * Runs a command and returns the JSON that it prints.
 *
 * @param {Page} page
 * @param {string} line
 */
async function runForJson(page, line) {
  await run(page, line);
  return JSON.parse(await lastOutput(page, "pre"));
}

/**
 * Waits until the output contains a text.
 *
 * @param {Page} page
 * @param {string} text
 */
function waitForOutput(page, text) {
  return page.waitForFunction((expected) => document.querySelector(".shell-log")?.textContent?.includes(expected), text);
}
