// What a page shows from its first paint on: every picture of it, in order, and when scripts come into it.

import { createServer } from "node:http";

/** Notes in `pictures`, from before anything is there, which elements with `data-part` can be seen whenever that changes. */
export function watch() {
  const pictures = (globalThis.pictures = []);
  const look = () => {
    const seen = [...document.querySelectorAll("[data-part]")]
      .filter((part) => part.checkVisibility())
      .map((part) => part.dataset.part)
      .join(" ");
    if (seen !== (pictures.at(-1) ?? "")) pictures.push(seen);
  };
  new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  const frame = () => {
    look();
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

/** Serves a page whose script comes when it is let through. */
export async function stage(script) {
  let html = "";
  let waiting = [];
  let open = false;
  const server = createServer((request, response) => {
    if (request.url !== "/page.js") return response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(html);
    const send = () => response.writeHead(200, { "content-type": "text/javascript" }).end(script);
    if (open) send();
    else waiting.push(send);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    /** Sets the page; its script is held. */
    set(head, body) {
      open = false;
      html = `<!doctype html><html lang="en"><head><title>page</title><link rel="icon" href="data:,">${head}</head><body>${body}<script src="/page.js" defer></script></body></html>`;
    },
    /** Lets the script through. */
    release() {
      open = true;
      waiting.splice(0).forEach((send) => send());
    },
    stop() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Waits for what has been painted without a script, and lets the script through. */
export async function painted(page, stage) {
  await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length);
  stage.release();
}
