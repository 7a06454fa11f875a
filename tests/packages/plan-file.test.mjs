// Plan files: what is accepted, and how each problem is reported with its line and path.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MAX_FILE_LENGTH, PlanFileError, parsePlanFile } from "../../www/npm/cli/plan/file.js";

/** @param {string} text */
function problemsOf(text) {
  try {
    parsePlanFile(text, "gate.yaml");
  } catch (error) {
    if (error instanceof PlanFileError) return error.message.split("\n");
    throw error;
  }
  return [];
}

/** A product with these further lines. @param {string} lines */
const product = (lines) => `products:\n  - id: pro\n    name: Pro\n${lines}`;

/** A price with these further lines. @param {string} lines */
const price = (lines) =>
  product(`    prices:\n      - lookup_key: pro_monthly\n        currency: usd\n        unit_amount: 1500\n${lines}`);

describe("a plan file", () => {
  test("is read with all its fields", () => {
    const { features, products } = parsePlanFile(
      `features:
  - lookup_key: sms
    name: Text messages
    metadata: { team: "7", old: null }
products:
  - key: pro
    name: Pro
    active: false
    description: null
    features: [sms]
    prices:
      - lookup_key: pro_yearly
        currency: EUR
        unit_amount: 0
        recurring: { interval: year, interval_count: 2 }
        nickname: Every two years
        tax_behavior: inclusive
`,
      "gate.yaml",
    );
    assert.deepEqual(structuredClone(features), [{ lookup_key: "sms", name: "Text messages", metadata: { team: "7", old: null } }]);
    assert.deepEqual(products, [
      {
        key: "pro",
        name: "Pro",
        active: false,
        description: null,
        features: ["sms"],
        prices: [
          {
            lookup_key: "pro_yearly",
            currency: "EUR",
            unit_amount: 0,
            recurring: { interval: "year", interval_count: 2 },
            nickname: "Every two years",
            tax_behavior: "inclusive",
          },
        ],
      },
    ]);
  });

  test("may be JSON, and may have anchors", () => {
    assert.deepEqual(parsePlanFile('{"features": [{"lookup_key": "sms"}]}', "gate.json").features, [{ lookup_key: "sms" }]);
    const { products } = parsePlanFile(
      product("    features: &all [sms, sso]\n  - id: max\n    name: Max\n    features: *all\n"),
      "gate.yaml",
    );
    assert.deepEqual(
      products?.map(({ features }) => features),
      [
        ["sms", "sso"],
        ["sms", "sso"],
      ],
    );
  });

  /** @type {[why: string, text: string, problems: string[]][]} */
  const cases = [
    ["an empty file", "", ["gate.yaml:1: must be a map of names and values"]],
    [
      "a syntax error",
      "features:\n  - [",
      ["gate.yaml:2: Flow sequence in block collection must be sufficiently indented and end with a ]"],
    ],
    ["a key that occurs twice", "features: []\nfeatures: []\n", ["gate.yaml:2: Map keys must be unique"]],
    [
      "an unknown field, with the similar one",
      product("    feature: [sms]\n"),
      ["gate.yaml:4: products[0]: unknown field `feature`; did you mean `features`?"],
    ],
    ["an unknown field of the file", "plans: []\n", ["gate.yaml:1: plans: unknown field `plans`"]],
    ["a missing field", "features:\n  - lookup_key: sms\n  - name: SSO\n", ["gate.yaml:3: features[1]: `lookup_key` is required"]],
    [
      "a number instead of a text",
      "features:\n  - lookup_key: 2024\n",
      ['gate.yaml:2: features[0].lookup_key: must be text: write it in quotes, "2024"'],
    ],
    [
      "a text that is too long",
      `features:\n  - lookup_key: ${"k".repeat(81)}\n`,
      ["gate.yaml:2: features[0].lookup_key: has 81 characters; at most 80 are allowed"],
    ],
    [
      "an amount with decimals",
      price("").replace("1500", "15.5"),
      ["gate.yaml:7: products[0].prices[0].unit_amount: must be a whole number from 0 to 999999999999"],
    ],
    [
      "a negative amount",
      price("").replace("1500", "-1"),
      ["gate.yaml:7: products[0].prices[0].unit_amount: must be a whole number from 0 to 999999999999"],
    ],
    [
      "an unknown interval",
      price("        recurring: { interval: fortnight }\n"),
      ["gate.yaml:8: products[0].prices[0].recurring.interval: must be one of: day, week, month, year"],
    ],
    [
      "a currency that is none",
      price("").replace("usd", "dollar"),
      ["gate.yaml:6: products[0].prices[0].currency: has 6 characters; at most 3 are allowed"],
    ],
    [
      "a product without identity",
      "products:\n  - name: Pro\n",
      [
        "gate.yaml:2: products[0]: either `id` or `key` is required: `id` is the id of the product, `key` is stored as `entgate_key` in its metadata",
      ],
    ],
    [
      "a product with two identities",
      product("    key: pro\n"),
      [
        "gate.yaml:2: products[0]: either `id` or `key` is required: `id` is the id of the product, `key` is stored as `entgate_key` in its metadata",
      ],
    ],
    [
      "an id with a slash",
      "products:\n  - id: a/b\n    name: Pro\n",
      ["gate.yaml:2: products[0].id: must be an id of letters, digits, `_`, `-` and `.`"],
    ],
    [
      "a lookup key of two prices",
      price("      - lookup_key: pro_monthly\n        currency: usd\n        unit_amount: 1\n"),
      ["gate.yaml:8: products[0].prices[1]: `lookup_key` `pro_monthly` occurs before"],
    ],
    ["a feature that a product has twice", product("    features: [sms, sms]\n"), ["gate.yaml:2: products[0]: `features` has `sms` twice"]],
    [
      "several problems at once",
      "features:\n  - lookup_key: ''\n  - name: 1\n",
      [
        "gate.yaml:2: features[0].lookup_key: must be text that is not empty",
        'gate.yaml:3: features[1].name: must be text: write it in quotes, "1"',
        "gate.yaml:3: features[1]: `lookup_key` is required",
      ],
    ],
  ];
  for (const [why, text, problems] of cases) {
    test(`${why} is reported with its line and path`, () => assert.deepEqual(problemsOf(text), problems));
  }

  test("has at most four million characters, and reports at most 20 problems", () => {
    const comment = (/** @type {number} */ length) => `features: []\n#${"x".repeat(length - 14)}`;
    assert.deepEqual(problemsOf(comment(MAX_FILE_LENGTH)), []);
    assert.deepEqual(problemsOf(comment(MAX_FILE_LENGTH + 1)), ["gate.yaml: has 4000001 characters; at most 4000000 are allowed"]);
    const problems = problemsOf(`features:\n${"  - name: x\n".repeat(25)}`);
    assert.deepEqual([problems.length, problems[20]], [21, "… and 5 more problems"]);
  });

  test("does not expand aliases without end", () => {
    const [first] = problemsOf("a: &a [*b]\nb: &b [*a]\nfeatures: *a\n");
    assert.match(first, /^gate\.yaml:1: /);
  });
});
