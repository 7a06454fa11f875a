// The playground: a customer's life by its buttons, each of which is the request that it shows, and what the edge answers then.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { browse } from "../worker/browser.mjs";
import { edge, stage } from "./fixture.mjs";
import { look, open } from "./support.mjs";

const KEYS = ["sms", "export", "sso", "audit_log"];

describe("the playground", { timeout: 120_000 }, () => {
  let service;
  let seller;
  let browser;
  let own;
  let end;
  before(async () => ({ service, seller, own, browser, end } = await stage()));
  after(() => end());

  let opened;
  /** The playground, with somebody new in it. */
  async function begin() {
    if (!opened) {
      opened = await open(browser, service, "playground");
      await opened.page.click("#panel-playground .empty button");
    } else {
      const before = await opened.page.textContent("#panel-playground .who code");
      await opened.page.click('#panel-playground button:text-is("Somebody new")');
      await opened.page.waitForFunction(
        (before) => ![before, undefined].includes(document.querySelector("#panel-playground .who code")?.textContent),
        before,
      );
    }
    await opened.page.waitForSelector("#panel-playground .shop-who .badge:text-is('Live')");
    return opened;
  }

  /** Presses a button, and waits until its request is answered. Gives what was sent. */
  async function press(page, title) {
    const sent = [];
    const note = (request) =>
      request.method() !== "GET" && sent.push(`${request.method()} ${new URL(request.url()).pathname} ${request.postData() ?? ""}`.trim());
    page.on("request", note);
    await page.click(`.step button[aria-label="${title}"]:not([aria-disabled=true])`);
    await page.waitForSelector(`.step:has(button[aria-label="${title}"]) .step-said[data-tone]:not([data-tone=""])`);
    page.off("request", note);
    return sent;
  }

  /** Waits until the edge answers yes to these features, and to no others. */
  function granted(page, keys) {
    return page.waitForFunction((keys) => {
      const rows = [...document.querySelectorAll("#panel-playground .table tbody tr")];
      return (
        rows
          .filter((row) => row.textContent.includes("yes"))
          .map((row) => row.querySelector("code").textContent)
          .join() === keys
      );
    }, keys.join());
  }

  test("a life is played through, and the edge and the shop follow", async () => {
    const { page, complaints } = await begin();
    for (const [why, title, keys] of [
      ["a first purchase", "Subscribe to Starter", ["sms"]],
      ["a better plan", "Upgrade to Pro", ["sms", "export", "sso"]],
      ["what is attached waits for the next period", "Attach the audit log to Pro", ["sms", "export", "sso"]],
      ["or until it is applied", "Apply it now", KEYS],
      ["what is detached stays until the next period", "Detach it again", KEYS],
      ["which comes", "Advance to the next period", ["sms", "export", "sso"]],
      ["a lesser plan", "Go back to Starter", ["sms"]],
      ["an end that is to come", "Cancel at the end of the period", ["sms"]],
      ["and has come", "Advance to the next period", []],
      ["somebody who comes back", "Subscribe to Starter", ["sms"]],
      ["and goes at once", "Cancel now", []],
    ]) {
      await press(page, title);
      await granted(page, keys).catch(() => assert.fail(why));
      const open = await page.$$eval('#panel-playground .room[data-open="true"]', (rooms) => rooms.map(({ dataset }) => dataset.feature));
      assert.deepEqual(open, keys, why);
    }
    assert.deepEqual(complaints, []);
  });

  test("a button sends what it shows as curl", async () => {
    const { page } = await begin();
    for (const title of ["Subscribe to Starter", "Upgrade to Pro", "Advance to the next period", "Cancel now"]) {
      const step = page.locator(`.step:has(button[aria-label="${title}"])`);
      await step.locator(".step-bar button:not([aria-disabled=true])").waitFor();
      const [line, command] = [await step.locator("summary").textContent(), await step.locator(".command code").textContent()];
      const data = [...command.matchAll(/-d '?([^'\s]+)'?/g)].map(([, pair]) => pair.split("="));
      const expected = `${line} ${new URLSearchParams(data)}`.trim();
      assert.deepEqual(await press(page, title), [expected], title);
      const [method, path] = line.split(" ");
      assert.equal(command.split(" \\\n")[0], `curl ${method === "POST" ? "" : `-X ${method} `}${service.url.origin}${path}`);
    }
  });

  test("what cannot be done now says why, and does nothing", async () => {
    const { page } = await begin();
    const button = page.locator('.step button[aria-label="Upgrade to Pro"]');
    assert.equal(await button.getAttribute("aria-disabled"), "true");
    assert.match(await page.textContent('.step:has(button[aria-label="Upgrade to Pro"])'), /Nothing is bought yet\./);
    await button.click({ force: true });
    assert.equal(await page.locator("#panel-playground .deeds > li").count(), 0);
  });

  test("what the catalog refuses is told where it was pressed", async () => {
    const { page } = await begin();
    const customer = await page.textContent("#panel-playground .who code");
    await seller.sdk.customers.del(customer);
    await press(page, "Subscribe to Starter");
    const said = page.locator('.step:has(button[aria-label="Subscribe to Starter"]) .step-said');
    assert.equal(await said.getAttribute("data-tone"), "no");
    assert.match(await said.textContent(), new RegExp(customer));
  });

  test("somebody who is known can be taken, and lives by the real time", async () => {
    const { id } = await seller.sdk.customers.create({ name: "Ada" });
    const other = await seller.subscribe({ id }, (await seller.plan(await seller.feature("seats"))).price);
    const { page } = await begin();
    await page.click("#panel-playground .other summary");
    await page.fill("#play-customer", id);
    await page.press("#play-customer", "Enter");
    await page.waitForSelector(`#panel-playground .who code:text-is("${id}")`);
    assert.match(await page.textContent("#panel-playground .who"), /the real one/);
    await press(page, "Subscribe to Starter");
    await press(page, "Cancel now");
    assert.equal(await seller.status(other), "active", "what else they have bought is left alone");
    await page.fill("#play-customer", "cus_nobody");
    await page.press("#play-customer", "Enter");
    await page.waitForSelector("#panel-playground .notice.no:has-text('cus_nobody')");
  });

  test("where nobody is told of events, it says so", async () => {
    await seller.sdk.webhookEndpoints.update(own.id, { disabled: true });
    const { page } = await open(browser, service, "playground");
    await page.waitForSelector("#panel-playground .notice.maybe:has-text('own-endpoint.mjs')");
    await page.close();
    await seller.sdk.webhookEndpoints.update(own.id, { disabled: false });
  });

  test("it looks as it should in both themes and three widths", async () => {
    const { page } = await begin();
    for (const title of ["Subscribe to Starter", "Upgrade to Pro", "Attach the audit log to Pro", "Advance to the next period"])
      await press(page, title);
    await granted(page, KEYS);
    await page.click('.step:has(button[aria-label="Upgrade to Pro"]) summary');
    await page.evaluate(() => scrollTo(0, 0));
    await look(page, "playground");
    await page.close();
  });
});

test("where Stripe is the source there is nobody to play with", { timeout: 60_000 }, async () => {
  const service = await edge({ ENTGATE_SOURCE: "stripe" });
  const browser = await browse();
  try {
    const { page } = await open(browser, service, "playground");
    await page.waitForSelector("#panel-playground .empty:has-text('The playground needs the catalog')");
    await page.click('#panel-playground button:text-is("Go to the shop")');
    await page.waitForSelector("#panel-shop:not([hidden])");
    await page.close();
  } finally {
    await browser.close();
    await service.stop();
  }
});
