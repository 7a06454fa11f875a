// The parts of the documentation that follow from the OpenAPI document: a table of all routes, and the parameters, the response and the
// errors of each.
//
// Takes the finished document, and a page with markers:
//
//   <!-- openapi: routes -->        the table of all routes that have a section on the page
//   <!-- openapi: <operationId> --> one operation
//   <!-- /openapi -->               the end of a part
//
// Returns the page with new parts. What is between them is written by hand. `renderCatalogPage` returns a page that has nothing else.

/** @import { Schema } from "./schema-dsl.mjs" */

/**
 * An operation of the document with its place.
 *
 * @typedef {object} Entry
 * @property {string} method
 * @property {string} path
 * @property {any} operation
 */

const PART = /<!-- openapi: ([\w./]+) -->\n[\s\S]*?<!-- \/openapi -->/g;

/** Who may call, by the security requirements of an operation. */
const CALLERS = new Map([
  ["", "everybody"],
  ["signature", "Stripe, by its signature"],
  ["serverKey", "a secret key"],
  ["serverKey readOnlyKey", "a secret or read-only key"],
  ["serverKey readOnlyKey customerToken", "a secret key, a read-only key, or a customer token"],
  ["serverKey readOnlyKey customerToken tokenInQuery", "a secret key, a read-only key, or a customer token, also in the URL"],
  ["tokenInQuery", "a token in the URL"],
]);

/** Values whose form has a name. */
const NAMED_VALUES = new Map([
  ["CustomerId", "customer id"],
  ["LookupKey", "lookup key"],
  ["Timestamp", "Unix seconds"],
  ["Version", "integer"],
  ["EventId", "event id"],
  ["Ignored", "ignored"],
]);

/**
 * @param {any} document
 * @returns {Entry[]}
 */
export const operationsOf = (document) =>
  Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );

/** @param {Entry} entry */
const isOfCatalogAlone = ({ operation }) => operation.tags[0] === "catalog";

/**
 * Returns the page with current parts. A route of the edge without a section gets one at the end.
 *
 * @param {any} document
 * @param {string} page
 * @param {(operationId: string) => boolean} isElsewhere  Whether another page has the section.
 */
export function renderApiPage(document, page, isElsewhere) {
  const edge = operationsOf(document).filter((entry) => !isOfCatalogAlone(entry));
  const byId = new Map(edge.map((entry) => [entry.operation.operationId, entry]));
  let text = page;
  for (const { method, path, operation } of edge) {
    const { operationId } = operation;
    if (text.includes(`<!-- openapi: ${operationId} -->`) || isElsewhere(operationId)) continue;
    text = `${text.trimEnd()}\n\n## \`${method} ${path}\`: ${lowerFirst(operation.summary.replace(/\.$/, ""))}\n\n<!-- openapi: ${operationId} -->\n<!-- /openapi -->\n`;
  }
  const headings = headingsBySection(text);
  return text.replaceAll(PART, (_, id) => {
    if (id === "routes") return part(id, renderRoutes(edge, headings));
    const entry = byId.get(id);
    if (!entry) throw new Error(`the page names \`${id}\`, which is not an operation`);
    return part(id, renderOperation(document, entry));
  });
}

/** @param {string} page */
export const operationIdsIn = (page) => [...page.matchAll(PART)].map(([, id]) => id).filter((id) => id !== "routes");

/** The page of all routes of the catalog. @param {any} document */
export function renderCatalogPage(document) {
  const entries = operationsOf(document).filter(isOfCatalogAlone);
  const sections = entries.map(({ method, path, operation }) => {
    const body = renderOperation(document, { method, path, operation }, { isBrief: true });
    return `## \`${method} ${path}\`\n\n${operation.summary}\n\n${body}`;
  });
  return `# Catalog API

Every route of the [catalog](catalog.md) with its parameters. \`node scripts/openapi.mjs\` writes this page from the tables behind \`/openapi.json\`.

Paths, parameters, objects and errors are [Stripe's](https://docs.stripe.com/api). Each route needs a secret key, and accepts \`expand\` and the header \`Stripe-Version\`; a \`POST\`
accepts \`Idempotency-Key\`. A parameter that is *ignored* is accepted, and has no effect. Nested parameters are written as in a form: \`recurring[interval]\`.

${sections.join("\n\n")}
`;
}

/** @param {string} id @param {string} content */
const part = (id, content) => `<!-- openapi: ${id} -->\n${content}\n<!-- /openapi -->`;

/** @param {string} text */
const lowerFirst = (text) => text[0].toLowerCase() + text.slice(1);

/** The anchor that GitHub gives a heading. @param {string} heading */
export const anchorOf = (heading) =>
  heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, "")
    .replaceAll(" ", "-");

/** The heading above each part, by the operation. @param {string} page */
function headingsBySection(page) {
  /** @type {Map<string, string>} */
  const found = new Map();
  let heading = "";
  for (const [, title, id] of page.matchAll(/^#+ (.*)$|<!-- openapi: ([\w./]+) -->/gm)) {
    if (title) heading = title;
    else if (id) found.set(id, heading);
  }
  return found;
}

/**
 * @param {Entry[]} entries
 * @param {Map<string, string>} headings
 */
function renderRoutes(entries, headings) {
  const rows = entries.map(({ method, path, operation }) => {
    const heading = headings.get(operation.operationId);
    const route = `\`${method} ${path}\``;
    const link = heading ? `[${route}](#${anchorOf(heading)})` : route;
    return `| ${link} | ${operation.summary.replace(/\.$/, "")} | ${callersOf(operation)} |`;
  });
  return `| route | what it does | who may call it |\n|---|---|---|\n${rows.join("\n")}`;
}

/** @param {any} operation */
function callersOf({ security }) {
  const schemes = security.flatMap((/** @type {object} */ requirement) => Object.keys(requirement));
  const names = schemes.filter((/** @type {string} */ name) => name !== "serverKeyAsUser" && name !== "apiKey").join(" ");
  const callers = CALLERS.get(names);
  if (!callers) throw new Error(`who may call is not known for: ${names}`);
  return security.some((/** @type {object} */ requirement) => Object.keys(requirement).length === 0)
    ? "everybody; a secret key gets details"
    : callers;
}

/**
 * @param {any} document
 * @param {Entry} entry
 * @param {{ isBrief?: boolean }} [options]  Whether callers and members of objects are left out.
 */
function renderOperation(document, { operation }, { isBrief = false } = {}) {
  const parts = [];
  if (operation.description) parts.push(operation.description);
  if (!isBrief) parts.push(`Who may call it: ${operation.security.length ? callersOf(operation) : "everybody"}.`);
  const parameters = [...parametersOf(document, operation, isBrief), ...bodyOf(document, operation, isBrief)];
  if (parameters.length) parts.push(table(["parameter", "value", "description"], parameters));
  const success = renderSuccess(document, operation, isBrief);
  if (success) parts.push(success);
  if (!isBrief) parts.push(renderErrors(operation));
  return parts.join("\n\n");
}

/** Parameters of the query and of headers. @param {any} document @param {any} operation @param {boolean} isBrief */
function parametersOf(document, { parameters = [] }, isBrief) {
  return parameters
    .map((/** @type {any} */ parameter) => (parameter.$ref ? resolve(document, parameter) : parameter))
    .filter(({ name, in: place }) => place !== "path" && !(isBrief && (place === "header" || name === "expand[]")))
    .map(({ name, in: place, required, description = "", schema }) => [
      `\`${name}\`${place === "header" ? " (header)" : ""}`,
      describeValue(document, schema),
      describe(description || descriptionOf(document, schema), required),
    ]);
}

/** Members of the body. @param {any} document @param {any} operation @param {boolean} isBrief @returns {string[][]} */
function bodyOf(document, { requestBody }, isBrief) {
  if (!requestBody) return [];
  const { schema } = /** @type {{ schema: Schema }} */ (Object.values(requestBody.content)[0]);
  return members(document, schema).filter(([name]) => !(isBrief && name.startsWith("`expand")));
}

/**
 * The members of an object as rows. Those of an inner object are named as in a form.
 *
 * @param {any} document
 * @param {Schema} schema
 * @param {string} [prefix]
 * @param {number} [depth]
 * @returns {string[][]}
 */
function members(document, schema, prefix = "", depth = 0) {
  const object = resolve(document, schema);
  const alternatives = object.anyOf ?? object.oneOf;
  if (alternatives && !object.properties) {
    const objects = alternatives
      .map((/** @type {Schema} */ each) => resolve(document, each))
      .filter((/** @type {Schema} */ each) => each.properties);
    const properties = Object.assign({}, ...objects.map(({ properties }) => properties));
    const required = Object.keys(properties).filter((name) => objects.every((/** @type {Schema} */ each) => each.required?.includes(name)));
    return members(document, { type: "object", properties, required }, prefix, depth);
  }
  return Object.entries(/** @type {Record<string, Schema>} */ (object.properties ?? {})).flatMap(([name, inner]) => {
    const full = prefix ? `${prefix}[${name}]` : name;
    const target = resolve(document, inner);
    const row = [`\`${full}\``, describeValue(document, inner), describe(descriptionOf(document, inner), object.required?.includes(name))];
    const nested = depth < 2 ? innerObject(document, target) : undefined;
    return nested ? [row, ...members(document, nested, target.type === "array" ? `${full}[0]` : full, depth + 1)] : [row];
  });
}

/** The object of a value, or of the elements of a list. @param {any} document @param {Schema} schema @returns {Schema | undefined} */
function innerObject(document, schema) {
  const target = resolve(document, schema.type === "array" ? (schema.items ?? {}) : schema);
  if (target.properties) return target;
  const objects = (target.anyOf ?? [])
    .map((/** @type {Schema} */ each) => resolve(document, each))
    .filter((/** @type {Schema} */ each) => each.properties);
  return objects.length ? { anyOf: objects } : undefined;
}

/** @param {any} document @param {any} operation @param {boolean} isBrief */
function renderSuccess(document, { responses }, isBrief) {
  const content = responses[200]?.content;
  if (!content) return "";
  const [[media, { schema }]] = Object.entries(/** @type {Record<string, { schema: Schema }>} */ (content));
  if (media !== "application/json") return schema.description ?? "";
  const target = resolve(document, schema);
  const name = objectName(document, target);
  const [single, several] = (target.oneOf ?? []).map((/** @type {Schema} */ each) => resolve(document, each));
  if (!isBrief && several?.properties?.data) {
    return `Returns \`${name}\`, or a list of it.\n\n${responseTable(document, single)}`;
  }
  const element = target.properties?.data?.items;
  if (element) {
    const kind = target.properties?.object?.const === "search_result" ? "a search result" : "a list";
    const elementName = objectName(document, resolve(document, element));
    const title = `Returns ${kind} of ${elementName ? `\`${elementName}\`` : "objects"}.`;
    return isBrief ? title : `${title}\n\n${responseTable(document, element)}`;
  }
  if (!name) return "";
  if (isBrief) return `Returns \`${name}\`.`;
  return `Returns \`${name}\`.\n\n${responseTable(document, schema)}`;
}

/** @param {any} document @param {Schema} schema */
function responseTable(document, schema) {
  const rows = members(document, schema, "", 2).filter(([name]) => name !== "`object`");
  return table(
    ["member", "value", "description"],
    rows.map(([name, value, description]) => [name, value, description.replace(/^required(?:; )?/, "")]),
  );
}

/** The value of `object`, of the first alternative that has one. @param {any} document @param {any} schema @returns {string | undefined} */
function objectName(document, schema) {
  const alternatives = schema.oneOf ?? schema.anyOf ?? [];
  return (
    schema.properties?.object?.const ??
    alternatives.map((/** @type {Schema} */ each) => objectName(document, resolve(document, each))).find(Boolean)
  );
}

/** @param {any} operation */
function renderErrors({ responses }) {
  const statuses = Object.keys(responses).filter((status) => Number(status) >= 400);
  return statuses.length ? `Errors: ${statuses.join(", ")}. See [errors.md](errors.md).` : "";
}

/** @param {string} description @param {boolean} [isRequired] */
function describe(description, isRequired) {
  const text = description.replaceAll("\n", " ").trim();
  return isRequired ? `required${text ? `; ${lowerFirst(text)}` : ""}` : text;
}

/** @param {any} document @param {Schema} schema @returns {string} */
function descriptionOf(document, schema) {
  if (schema.description) return schema.description;
  const name = schema.$ref?.split("/").at(-1) ?? "";
  if (NAMED_VALUES.has(name)) return "";
  const target = resolve(document, schema);
  return target.description ?? target.anyOf?.map(({ description = "" }) => description).find(Boolean) ?? "";
}

/**
 * The possible values in words.
 *
 * @param {any} document
 * @param {Schema} schema
 * @returns {string}
 */
function describeValue(document, schema) {
  const name = schema.$ref?.split("/").at(-1) ?? "";
  const named = NAMED_VALUES.get(name);
  if (named) return named;
  const target = resolve(document, schema);
  const alternatives = target.anyOf ?? target.oneOf;
  if (alternatives) return [...new Set(alternatives.map((/** @type {Schema} */ each) => describeValue(document, each)))].join(" or ");
  if (target.enum) return target.enum.map((value) => (value === "" ? "an empty string" : `\`${value}\``)).join(", ");
  if (target.const !== undefined) return target.const === "" ? "an empty string" : `\`${target.const}\``;
  const fallback = target.default === undefined ? "" : `; default \`${target.default}\``;
  switch (target.type) {
    case "array":
      return `list${elementsOf(describeValue(document, target.items ?? {}))}${target.maxItems ? `, up to ${target.maxItems}` : ""}`;
    case "integer":
      return `integer${range(target)}${fallback}`;
    case "string":
      if (target.maxLength === 0) return "an empty string";
      return `string${target.maxLength ? `, up to ${target.maxLength}` : ""}${fallback}`;
    case "boolean":
      return `\`true\` or \`false\`${fallback}`;
    case "null":
      return "`null`";
    case "object":
      return "object";
    default:
      return "any";
  }
}

/** What a list is of. @param {string} element */
function elementsOf(element) {
  if (element === "any") return "";
  return /^[a-z ]+$/.test(element) ? ` of ${element}s` : ` of ${element}`;
}

/** @param {Schema} schema */
function range({ minimum, maximum }) {
  const isBounded = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
  if (minimum !== undefined && isBounded) return `, ${minimum} to ${maximum}`;
  return minimum === undefined ? "" : `, at least ${minimum}`;
}

/** @param {any} document @param {any} schema @returns {any} */
function resolve(document, schema) {
  if (!schema.$ref) return schema;
  const target = schema.$ref
    .slice(2)
    .split("/")
    .reduce((/** @type {any} */ node, /** @type {string} */ key) => node[key], document);
  return resolve(document, target);
}

/** @param {string[]} head @param {string[][]} rows */
function table(head, rows) {
  const line = (/** @type {string[]} */ cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}
