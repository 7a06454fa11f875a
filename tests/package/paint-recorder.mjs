// Records which parts of a page are visible from its first paint on, and delays its script until after that paint.

import { serveHttp } from "./pages.mjs";

/**
 * Runs in the page: appends to `paints` which elements with `data-part` are visible, whenever that changes. It begins when
 * the HTML is parsed completely, because a browser may show the beginning of a page earlier.
 */
export function recordPaints() {
  /** @type {string[]} */
  const paints = [];
  globalThis.paints = paints;
  const record = () => {
    if (document.readyState === "loading") return;
    const visible = [.../** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-part]"))]
      .filter((part) => part.checkVisibility())
      .map((part) => part.dataset.part)
      .join(" ");
    if (visible !== (paints.at(-1) ?? "")) paints.push(visible);
  };
  new MutationObserver(record).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  const onFrame = () => {
    record();
    requestAnimationFrame(onFrame);
  };
  requestAnimationFrame(onFrame);
}

/** @typedef {Awaited<ReturnType<typeof serveDelayedScript>>} Site */

/**
 * Serves a page whose script is sent only after `releaseScript`.
 *
 * @param {string} script
 */
export async function serveDelayedScript(script) {
  let html = "";
  /** @type {(() => void)[]} */
  const waiting = [];
  let isReleased = false;
  const { url, stop } = await serveHttp((request, response) => {
    if (request.url !== "/page.js") return response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(html);
    const send = () => void response.writeHead(200, { "content-type": "text/javascript" }).end(script);
    if (isReleased) send();
    else waiting.push(send);
  });
  return {
    url,
    stop,
    /**
     * Sets the page, and delays its script.
     *
     * @param {string} head
     * @param {string} body
     */
    setPage(head, body) {
      isReleased = false;
      html = `<!doctype html><html lang="en"><head><title>page</title><link rel="icon" href="data:,">${head}</head><body>${body}<script src="/page.js" defer></script></body></html>`;
    },
    releaseScript() {
      isReleased = true;
      for (const send of waiting.splice(0)) send();
    },
  };
}

/**
 * Waits for the first paint of a page, and then sends its script.
 *
 * @param {import("./pages.mjs").Page} page
 * @param {Site} site
 */
export async function releaseAfterFirstPaint(page, site) {
  await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length);
  site.releaseScript();
}
