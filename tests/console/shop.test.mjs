// The live shop: what a purchase opens is open in the page by the stream, and nothing is loaded or asked for again.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { browse } from "../worker/browser.mjs";
import { KEY, summary } from "../worker/support.mjs";
import { edge, stage } from "./fixture.mjs";
import { go, look, open } from "./support.mjs";

const OPEN = { free: [], starter: ["sms"], pro: ["export", "sms", "sso"] };

describe("the shop", { timeout: 120_000 }, () => {
  let service;
  let seller;
  let browser;
  let end;
  before(async () => ({ service, seller, browser, end } = await stage()));
  after(() => end());

  let opened;
  /** The shop, with somebody new in it. */
  async function visit() {
    if (!opened) {
      opened = await open(browser, service, "shop");
      await opened.page.click("#panel-shop .empty button");
    } else {
      const before = await opened.page.textContent("#panel-shop .shop-who code");
      await opened.page.click('#panel-shop button:text-is("Somebody new")');
      await opened.page.waitForFunction(
        (before) => ![before, undefined].includes(document.querySelector("#panel-shop .shop-who code")?.textContent),
        before,
      );
    }
    await live(opened.page);
    return { ...opened, customer: await opened.page.textContent("#panel-shop .shop-who code") };
  }

  test("what a purchase pays for opens by the stream, without a reload and without a question", async (t) => {
    const { page, complaints } = await visit();
    await opens(page, OPEN.free);
    await page.evaluate(() => {
      window.sameDocument = true;
    });
    const asked = [];
    page.on("request", (request) => asked.push(`${request.method()} ${new URL(request.url()).pathname}`));
    // Nothing that tells what is entitled can be read from here on.
    for (const path of ["**/v1/snapshot*", "**/v1/check*", "**/v1/entitlements/active_entitlements*"])
      await page.route(path, (route) => route.abort());

    await page.click('button:text-is("Buy Starter")');
    await opens(page, OPEN.starter);
    const [took] = /\d+(\.\d)? m?s$/.exec(await page.textContent('[data-feature="sms"] .room-when'));
    t.diagnostic(`from the click that buys to the part that is open: ${took}`);

    assert.equal(await page.evaluate(() => window.sameDocument), true);
    assert.deepEqual(
      asked.filter((each) => /snapshot|check|active_entitlements|stream/.test(each)),
      [],
    );
    assert.equal(asked[0], "POST /v1/subscriptions");
    assert.deepEqual(complaints, []);
    await page.unrouteAll();
  });

  test("plans are changed and ended, and parts open and close with them", async () => {
    const { page, customer } = await visit();
    for (const [press, parts, keys] of [
      ["Buy Pro", OPEN.pro, OPEN.pro],
      ["Change to Starter", OPEN.starter, OPEN.starter],
      ["Change to Pro", OPEN.pro, OPEN.pro],
      ["Cancel", OPEN.free, OPEN.free],
      ["Buy Starter", OPEN.starter, OPEN.starter],
    ]) {
      await page.click(`#panel-shop button:text-is("${press}"):not([aria-disabled=true])`);
      await opens(page, parts);
      assert.deepEqual(await seller.held({ id: customer }), keys, press);
    }
  });

  test("what is bought elsewhere opens too, and is told to those who do not see it", async () => {
    const { page, customer } = await visit();
    const [price] = (await seller.sdk.prices.list({ product: "shop_pro" })).data;
    await seller.subscribe({ id: customer }, price);
    await opens(page, OPEN.pro);
    const [, names] = /^Something happened elsewhere: (.*) opened\.$/.exec(await page.textContent("#panel-shop [role=status].unseen"));
    assert.deepEqual(names.split(", ").sort(), ["Export", "Single sign-on", "Text messages"]);
  });

  test("a keyboard is enough, and stays where it was", async () => {
    const { page } = await visit();
    await page.focus('button:text-is("Buy Pro")');
    await page.keyboard.press("Enter");
    await opens(page, OPEN.pro);
    await page.waitForFunction(() => document.activeElement.getAttribute("aria-label") === "Pro");
  });

  test("the playground shows the same visitor", async () => {
    const { page, customer } = await visit();
    await go(page, "playground");
    await page.waitForSelector("#panel-playground .who");
    assert.equal(await page.textContent("#panel-playground .who code"), customer);
    await go(page, "shop");
  });

  test("neither key nor token is stored, and another key sends everybody out", async () => {
    const { page } = await visit();
    const kept = await page.evaluate(
      () => JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie + document.querySelector("#panel-shop").innerHTML,
    );
    assert.equal(kept.includes(KEY), false);
    assert.equal(kept.includes("eyJ"), false);
    await page.fill("#key", "sk_test_wrong");
    await page.press("#key", "Enter");
    await page.waitForSelector("#panel-shop .notice.no");
    assert.equal(await page.locator("#panel-shop .room").count(), 0);
    await page.fill("#key", "");
    await page.press("#key", "Enter");
    await page.waitForSelector("#panel-shop .empty:has-text('A server key is needed')");
    await page.close();
  });

  test("it looks as it should, closed and open, in both themes and three widths", async () => {
    const { page } = await open(browser, service, "shop");
    await page.waitForSelector("#panel-shop .empty");
    await look(page, "shop-closed");
    await page.click("#panel-shop .empty button");
    await live(page);
    await page.click('button:text-is("Buy Pro")');
    await opens(page, OPEN.pro);
    await page.waitForSelector('.plan[data-current="true"][aria-label="Pro"]');
    await look(page, "shop");
    await page.close();
  });
});

describe("the shop, where Stripe is the source", { timeout: 60_000 }, () => {
  let service;
  let browser;
  before(async () => {
    service = await edge({ ENTGATE_SOURCE: "stripe" });
    browser = await browse();
  });
  after(async () => {
    await browser.close();
    await service.stop();
  });

  test("the parts of a customer who is named follow Stripe’s events", async () => {
    const { page, complaints } = await open(browser, service, "shop");
    await page.fill("#shop-customer", "cus_ada");
    await page.press("#shop-customer", "Enter");
    await live(page);
    await opens(page, []);
    assert.match(await page.textContent("#panel-shop .command code"), /^node scripts\/send-event\.mjs cus_ada sms export --port \d+$/);
    await service.send(summary("cus_ada", ["sms", "tax"]));
    await opens(page, ["sms"]);
    assert.match(await page.textContent(".shop-more"), /tax/);
    await service.send(summary("cus_ada", ["export"]));
    await opens(page, ["export"]);
    assert.deepEqual(complaints, []);
    await look(page, "shop-stripe");
    await page.close();
  });

  test("without a customer it asks for one", async () => {
    const { page } = await open(browser, service, "shop");
    await page.click('#panel-shop button:text-is("Open the shop")');
    assert.equal(await page.getAttribute("#shop-customer", "aria-invalid"), "true");
    await page.close();
  });
});

test("a Worker that makes no tokens says which setting is missing, and opens nothing", { timeout: 60_000 }, async () => {
  const service = await edge({ ENTGATE_SOURCE: "stripe", ENTGATE_TOKEN_SECRETS: "" });
  const browser = await browse();
  try {
    const { page } = await open(browser, service, "shop");
    await page.fill("#shop-customer", "cus_ada");
    await page.press("#shop-customer", "Enter");
    await page.waitForSelector(".shop-trouble:has-text('ENTGATE_TOKEN_SECRETS is not set')");
    await opens(page, []);
    assert.deepEqual(await page.locator(".room .badge").allTextContents(), Array(4).fill("Not known"));
    await page.close();
  } finally {
    await browser.close();
    await service.stop();
  }
});

/** Waits until the gate says that it hears. */
function live(page) {
  return page.waitForSelector(".panel:not([hidden]) .shop-who .badge:text-is('Live')");
}

/** Waits until these parts are open, and no others. */
function opens(page, keys) {
  return page.waitForFunction((keys) => {
    const open = [...document.querySelectorAll('.panel:not([hidden]) .room[data-open="true"]')].map(({ dataset }) => dataset.feature);
    return open.sort().join() === keys;
  }, keys.join());
}
