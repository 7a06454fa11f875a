// Stripe's lists: one page, or with `for await` every item.

/** A page of a list, as Stripe returns it. */
export interface List<Item> {
  object: "list";
  data: Item[];
  has_more: boolean;
  url: string;
}

/** Which part of a list a page has. */
export interface PageOptions {
  /** The most items of a page, 1 to 100; 10 by default. */
  limit?: number;
  /** The id of the item before the page. */
  startingAfter?: string;
  /** The id of the item after the page. `for await` then returns the items in reverse. */
  endingBefore?: string;
}

/** A list: `await` returns its first page, and `for await` every item. Each further page is a request. */
export interface Pages<Item> extends Promise<List<Item>>, AsyncIterable<Item> {}

/** Fetches the first page at once, and the others when they are needed. */
export function paginate<Item extends { id: string }, Options extends PageOptions>(
  options: Options,
  fetchPage: (options: Options) => Promise<List<Item>>,
): Pages<Item> {
  const first = fetchPage(options);
  return Object.assign(first, {
    async *[Symbol.asyncIterator]() {
      const isReversed = options.endingBefore !== undefined;
      for (let page = await first; ; ) {
        const items = isReversed ? [...page.data].reverse() : page.data;
        yield* items;
        const last = items.at(-1);
        if (!page.has_more || !last) return;
        page = await fetchPage({ ...options, [isReversed ? "endingBefore" : "startingAfter"]: last.id });
      }
    },
  });
}
