// The interface between the page in page.js and its test.

import type { EvaluationDetails } from "@openfeature/web-sdk";

declare global {
  interface Window {
    flagPage: {
      /** The customer's token, set by the test. */
      token: string;
      /** The events of the provider, in order. */
      events: { event: string; at: number; flagsChanged?: string[] }[];
      /** The result of the provider's start: `ready`, or the error. */
      ready?: Promise<string>;
      /** A flag as the web SDK evaluates it. */
      details?: (key: string, fallback?: boolean) => EvaluationDetails<boolean>;
    };
  }
}
