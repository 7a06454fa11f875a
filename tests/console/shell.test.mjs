// The shell, in front of the built Worker: a guide of Stripe's typed into it, events that are triggered and listened to, and its keys.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { browse } from "../worker/browser.mjs";
import { KEY } from "../worker/support.mjs";
import { edge, stage } from "./fixture.mjs";
import { go, look, open } from "./support.mjs";

const SUMMARY = "entitlements.active_entitlement_summary.updated";

describe("the shell", { timeout: 120_000 }, () => {
  let service;
  let seller;
  let browser;
  let end;
  before(async () => ({ service, seller, browser, end } = await stage()));
  after(() => end());

  let opened;
  /** The shell, with nothing said yet. */
  async function shell() {
    opened ??= await open(browser, service, "shell");
    await enter(opened.page, "clear");
    return opened;
  }

  test("a guide is typed in, and its customer has what was bought", async () => {
    const { page, complaints } = await shell();
    const feature = await answer(page, 'stripe entitlements features create --name "Text messages" --lookup-key sms');
    assert.deepEqual([feature.object, feature.name, feature.lookup_key], ["entitlements.feature", "Text messages", "sms"]);
    const product = await answer(page, "products create --name Pro --id pro");
    await answer(page, `products create_feature ${product.id} --entitlement-feature ${feature.id}`);
    assert.equal((await answer(page, "products list_features pro")).data[0].entitlement_feature.id, feature.id);
    const price = await answer(page, "prices create --product pro --currency usd --unit-amount 1500 --recurring.interval month");
    await answer(page, "customers create --id cus_ada");
    const subscription = await answer(page, `subscriptions create --customer cus_ada -d "items[0][price]=${price.id}"`);
    assert.equal(subscription.status, "active");
    assert.equal((await answer(page, "entitlements active_entitlements list --customer cus_ada")).data[0].lookup_key, "sms");
    await seller.follows({ id: "cus_ada" }, "sms", true);
    assert.equal((await answer(page, "check --customer cus_ada --feature sms")).entitled, true);
    assert.deepEqual(complaints, []);
  });

  test("what is wrong is said, whether the shell knows it or the Worker", async () => {
    const { page } = await shell();
    await enter(page, "featurs list");
    assert.equal(
      await last(page, ".line.no"),
      'Unknown command "featurs" for "stripe". Did you mean "features"?\nIf not, see "stripe --help" for a list of available commands.',
    );
    const { error } = await answer(page, "customers retrieve cus_nobody");
    assert.deepEqual([error.code, error.message], ["resource_missing", "No such customer: 'cus_nobody'"]);
    await enter(page, "customers retrieve cus_nobody -s");
    assert.match(await page.textContent(".shell-log"), /< 404\n[\s\S]*< request-id: req_/);
  });

  test("an event is triggered, and undone", async () => {
    const { page } = await shell();
    const { id } = await seller.sdk.customers.create({});
    await enter(page, `trigger ${SUMMARY} --customer ${id} --add tax --add vat`);
    assert.equal(await last(page, ".line.yes"), `Trigger succeeded! customer: ${id}  added: tax, vat`);
    await seller.follows({ id }, "tax", true);
    await enter(page, `trigger ${SUMMARY} --customer ${id} --remove tax`);
    assert.match(
      await last(page, ".line.no"),
      /^Trigger failed: sub_\w+ grants vat too: remove them together, or subscriptions cancel sub_\w+$/,
    );
    await enter(page, `trigger ${SUMMARY} --customer ${id} --remove tax,vat`);
    await seller.follows({ id }, "tax", false);
    for (const event of [
      "customer.created",
      "customer.deleted",
      "customer.subscription.created",
      "customer.subscription.deleted",
      "product.created",
      SUMMARY,
    ]) {
      await enter(page, `trigger ${event}`);
      assert.match(await last(page, ".line.yes"), /^Trigger succeeded! /, event);
      assert.equal(
        (await seller.sdk.events.list({ type: event, limit: 1 })).data[0].id,
        (await last(page, ".line")).trim().split(/\s+/)[1],
        event,
      );
    }
  });

  test("what somebody else sold is not undone", async () => {
    const { page } = await shell();
    const { price } = await seller.plan(await seller.feature("seats"));
    const customer = await seller.sdk.customers.create({});
    const { id } = await seller.subscribe(customer, price);
    await enter(page, `trigger ${SUMMARY} --customer ${customer.id} --remove seats`);
    assert.equal(
      await last(page, ".line.no"),
      `Trigger failed: seats came by ${id}, which was not triggered here: subscriptions cancel ${id}`,
    );
    assert.equal(await seller.status({ id }), "active");
  });

  test("listening shows each event and what is decided on it, until Ctrl-C", async () => {
    const { page } = await shell();
    const { price } = await seller.plan(await seller.feature("reports"));
    const customer = await seller.sdk.customers.create({});
    await type(page, "listen");
    await page.waitForSelector(".shell-log .yes:has-text('Ready!')");
    await seller.subscribe(customer, price);
    const [event] = await seller.summaries(customer);
    await said(page, `--> ${SUMMARY} [${event.id}]`);
    await said(page, `<--  applied ${customer.id} version 1 [${event.id}]`);
    // It goes on while another panel is looked at.
    await go(page, "overview");
    await go(page, "shell");
    await page.focus("#shell-input");
    await page.keyboard.press("Control+c");
    await ready(page);
    assert.equal(await last(page, ".line"), "^C");
    await enter(page, "version");
    assert.match(await last(page, ".line"), /^entgate \d/);
  });

  test("what cannot be undone is asked about first", async () => {
    const { page } = await shell();
    const { id } = await seller.sdk.customers.create({});
    await type(page, `customers delete ${id}`);
    await said(page, "Enter 'yes' to confirm:");
    await enter(page, "no");
    assert.equal(await last(page, ".line"), "Exiting without execution. User did not confirm the command.");
    assert.equal((await seller.sdk.customers.retrieve(id)).deleted, undefined);
    await type(page, `customers delete ${id}`);
    await said(page, "Enter 'yes' to confirm:");
    assert.deepEqual(await answer(page, "yes"), { id, object: "customer", deleted: true });
  });

  test("keys complete, recall and clear, and let whoever wants on go on", async () => {
    const { page } = await open(browser, service, "shell");
    const value = () => page.inputValue("#shell-input");
    const focused = () => page.evaluate(() => document.activeElement.id);
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
    assert.notEqual(await focused(), "shell-input", "nothing to complete: Tab moves on");

    await page.fill("#shell-input", "c");
    await page.keyboard.press("Tab");
    assert.equal(await last(page, ".line"), "check  clear  customers");
    assert.equal(await focused(), "shell-input");
    await page.keyboard.press("Tab");
    assert.notEqual(await focused(), "shell-input", "nothing more to say: Tab moves on");
    await page.fill("#shell-input", "feat");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Tab");
    assert.deepEqual([await value(), (await focused()) === "shell-input"], ["feat", false], "Escape lets Tab move on");

    await enter(page, "version");
    await enter(page, "health");
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
    await enter(page, "history");
    assert.equal(await last(page, ".line"), "   1  version\n   2  health\n   3  history");
    await page.keyboard.press("Control+l");
    assert.equal(await page.textContent(".shell-log"), "");
    await enter(page, "help");
    await enter(page, "clear");
    assert.equal(await page.textContent(".shell-log"), "");
    await page.close();
  });

  test("what a guide breaks into lines is pasted as one", async () => {
    const { page } = await shell();
    await page.evaluate(() => {
      const clipboardData = new DataTransfer();
      clipboardData.setData("text", 'stripe features create \\\n  --name="Single sign-on" \\\n  --lookup-key=sso\n');
      document.querySelector("#shell-input").dispatchEvent(new ClipboardEvent("paste", { clipboardData, cancelable: true }));
    });
    assert.equal(await page.inputValue("#shell-input"), 'stripe features create --name="Single sign-on" --lookup-key=sso');
  });

  test("what comes from outside is text, and the key is nowhere in it", async () => {
    const { page, complaints } = await open(browser, service, "shell");
    const name = '<img src=x onerror="document.title=1"></pre><script>document.title=1</script>';
    assert.equal((await answer(page, `customers create --name '${name}'`)).name, name);
    assert.equal(await page.locator(".shell-log :is(img, script)").count(), 0);
    await enter(page, `features list --api-key ${KEY.replace("entgate", "other")}`);
    assert.equal(await last(page, ".line.no"), "--api-key: the key at the top of the page goes with every request");
    const kept = await page.evaluate(
      () => JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie + document.querySelector("#panel-shell").innerHTML,
    );
    assert.equal(kept.includes(KEY), false);
    assert.deepEqual(complaints, []);

    await page.fill("#key", "");
    await page.press("#key", "Enter");
    await enter(page, "features list");
    assert.equal(
      await last(page, ".line.no"),
      "No API key is given. Enter a server key at the top of the page; it goes with every request.",
    );
    await page.close();
  });

  test("it looks as it should in both themes and three widths", async () => {
    const { page } = await open(browser, service, "shell");
    await enter(page, `trigger ${SUMMARY} --customer ${(await seller.sdk.customers.create({})).id} --add export`);
    await answer(page, "features list --limit 1");
    await enter(page, "features create --nam x");
    await look(page, "shell");
    await page.close();
  });
});

test("where Stripe is the source, its own CLI makes the events", { timeout: 60_000 }, async () => {
  const service = await edge({ ENTGATE_SOURCE: "stripe" });
  const browser = await browse();
  try {
    const { page } = await open(browser, service, "shell");
    await enter(page, `trigger ${SUMMARY} --customer cus_ada --add sms`);
    assert.match(await last(page, ".line.maybe"), /node scripts\/send-event\.mjs cus_ada sms$/);
    assert.equal((await answer(page, "check --customer cus_ada --feature sms")).reason, "unknown_customer");
    await page.close();
  } finally {
    await browser.close();
    await service.stop();
  }
});

async function type(page, line) {
  await page.fill("#shell-input", line);
  await page.press("#shell-input", "Enter");
}

/** Waits until the next line can be typed. */
function ready(page) {
  return page.waitForSelector('.shell-line:not([aria-busy="true"])');
}

/** Types a line, and waits until it is done. */
async function enter(page, line) {
  await type(page, line);
  await ready(page);
}

/** The last thing of a kind that was said. */
function last(page, kind) {
  return page.locator(`.shell-log ${kind}`).last().textContent();
}

/** Types a line, and gives the JSON that was answered. */
async function answer(page, line) {
  await enter(page, line);
  return JSON.parse(await last(page, "pre"));
}

/** Waits until something is said, whatever colours it has. */
function said(page, text) {
  return page.waitForFunction((text) => document.querySelector(".shell-log").textContent.includes(text), text);
}
