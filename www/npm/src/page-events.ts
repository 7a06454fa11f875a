// The events after which a page may have missed something: it becomes visible, gets the focus, or comes online.

/** Calls the function after each of these events, unless the page is hidden. Returns a function that removes the listeners. */
export function onReturn(listener: () => void): () => void {
  const { document } = globalThis;
  const onEvent = () => document?.hidden || listener();
  const forEach = (method: "addEventListener" | "removeEventListener") => {
    try {
      document?.[method]("visibilitychange", onEvent);
      globalThis[method]?.("focus", onEvent);
      globalThis[method]?.("online", onEvent);
    } catch {
      // A test can have a `document` of its own, or the functions of jsdom's window on the globals of Node.
    }
  };
  forEach("addEventListener");
  return () => forEach("removeEventListener");
}
