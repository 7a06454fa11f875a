// Writes www/console/openapi.json, the OpenAPI document of all routes, from the tables in openapi/, and what the documentation has of it.
//
//   node scripts/openapi.mjs           writes the document, the marked parts of docs/api.md, and docs/api-catalog.md
//   node scripts/openapi.mjs --check   fails if one of them is not up to date
//
// | file                                                    | content                                    |
// |---------------------------------------------------------|--------------------------------------------|
// | schema-dsl.mjs                                          | constructors of schemas and routes         |
// | components.mjs                                          | credentials, shared headers and responses  |
// | edge-routes.mjs, catalog-routes.mjs, catalog-params.mjs | the routes and their parameters            |
// | edge-schemas.mjs, override-schemas.mjs                  | the objects of the edge                    |
// | ofrep-schemas.mjs, catalog-schemas.mjs                  | the objects of OFREP and of the catalog    |
// | markdown.mjs                                            | the same as pages of the documentation     |
//
// Here is how a route becomes an operation, and which responses follow from its kind. To add a route, add a line to a route table, and the
// object that it returns to a schema table. `tests/it/openapi.rs` compares the document with the route tables in src/api, and
// `tests/worker/openapi.test.mjs` with the responses of the Worker.
//
// Specification: https://spec.openapis.org/oas/v3.1.0.html.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { API_VERSION } from "./openapi/catalog-params.mjs";
import { CATALOG_ROUTES } from "./openapi/catalog-routes.mjs";
import { CATALOG_SCHEMAS } from "./openapi/catalog-schemas.mjs";
import { HEADERS, headerRefs, IDEMPOTENCY_KEY, jsonContent, RESPONSES, SECURITY, SECURITY_SCHEMES } from "./openapi/components.mjs";
import { EDGE_ROUTES } from "./openapi/edge-routes.mjs";
import { EDGE_SCHEMAS } from "./openapi/edge-schemas.mjs";
import { operationIdsIn, renderApiPage, renderCatalogPage } from "./openapi/markdown.mjs";
import { OFREP_SCHEMAS } from "./openapi/ofrep-schemas.mjs";
import { OVERRIDE_SCHEMAS } from "./openapi/override-schemas.mjs";
import { anyObjectOf, array, isRequired, nonEmpty, ref, strictObject, string } from "./openapi/schema-dsl.mjs";

/** @typedef {import("./openapi/schema-dsl.mjs").Schema} Schema */
/** @typedef {import("./openapi/schema-dsl.mjs").Members} Members */
/** @typedef {import("./openapi/schema-dsl.mjs").Route} Route */

/**
 * OpenAPI's Parameter Object.
 *
 * @typedef {object} Parameter
 * @property {string} [$ref]
 * @property {string} [name]
 * @property {string} [in]
 * @property {boolean} [required]
 * @property {string} [description]
 * @property {Schema} [schema]
 * @property {string} [style]
 * @property {boolean} [explode]
 */

/** @typedef {{ parameters?: Parameter[], [member: string]: unknown }} Operation */

const DOCUMENT = "www/console/openapi.json";
const API_PAGE = "docs/api.md";
const CATALOG_PAGE = "docs/api-catalog.md";
/** Pages that have the sections of some routes in place of `API_PAGE`. */
const OTHER_PAGES = ["docs/overrides.md"];
const VERSION = readFileSync(new URL("../Cargo.toml", import.meta.url), "utf8").match(/^version = "(.*)"$/m)?.[1];

// --- Shared parameters ---

/** @type {Record<string, [description: string, schema: Schema]>} */
const PATH_PARAMETERS = {
  id: ["The id of the object.", nonEmpty()],
  product: ["The id of a product.", nonEmpty()],
  customer: ["The id of a customer.", nonEmpty()],
  key: ["The lookup key of a feature.", ref("LookupKey")],
};

const EXPAND = {
  expand: array(string(), 20, { description: "Replaces ids by their objects. Each path has up to four members: `data.customer`." }),
};
const STRIPE_VERSION = { "Stripe-Version": API_VERSION };

// --- From a route to an operation ---

/**
 * Returns the query parameters for a value. As at Stripe, a list is `name[]`, and a member is `name[member]`.
 *
 * @param {string} name
 * @param {Schema} schema
 * @param {boolean} [isNeeded]
 * @returns {Parameter[]}
 */
function flatten(name, schema, isNeeded = isRequired(schema)) {
  if (schema.anyOf) return schema.anyOf.flatMap((alternative) => flatten(name, alternative, isNeeded));
  if (schema.type === "object") {
    return Object.entries(schema.properties ?? {}).flatMap(([member, inner]) => flatten(`${name}[${member}]`, inner));
  }
  const { description, repeated, ...rest } = schema;
  /**
   * @param {string} fullName
   * @param {Parameter} [more]
   */
  const parameter = (fullName, more) => ({
    name: fullName,
    in: "query",
    ...(isNeeded && { required: true }),
    ...(description && { description }),
    schema: rest,
    ...more,
  });
  if (schema.type !== "array") return [parameter(name)];
  return [parameter(repeated ? name : `${name}[]`, { style: "form", explode: true })];
}

/** @param {Members} members */
const queryParameters = (members) => Object.entries(members).flatMap(([name, schema]) => flatten(name, schema));

/**
 * @param {string} path
 * @returns {Parameter[]}
 */
function pathParameters(path) {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => {
    const [description, schema] = PATH_PARAMETERS[name];
    return { name, in: "path", required: true, description, schema };
  });
}

/**
 * @param {Members} members
 * @returns {Parameter[]}
 */
const headerParameters = (members) =>
  Object.entries(members).map(([name, { description, ...schema }]) => ({
    name,
    in: "header",
    ...(description && { description }),
    schema,
  }));

/**
 * Whether a form encodes the value as `name[member]` or `name[]`.
 *
 * @param {Schema} schema
 * @returns {boolean}
 */
const isNested = (schema) =>
  schema.type === "object" ||
  schema.type === "array" ||
  schema.$ref === "#/components/schemas/MetadataUpdate" ||
  (schema.anyOf ?? []).some(isNested);

/**
 * Returns a request body that is a form or JSON. `alternatives` are the sets of members that it may have.
 *
 * @param {string} name
 * @param {Members[]} alternatives
 */
function formOrJsonBody(name, alternatives) {
  const schema = ref(name);
  /** @type {Members} */
  const members = Object.assign({}, ...alternatives);
  const nested = Object.keys(members).filter((member) => isNested(members[member]));
  const encoding = Object.fromEntries(nested.map((member) => [member, { style: "deepObject", explode: true }]));
  const isNeeded = alternatives.every((alternative) => Object.values(alternative).some(isRequired));
  return {
    ...(isNeeded && { required: true }),
    content: { "application/x-www-form-urlencoded": { schema, ...(nested.length && { encoding }) }, ...jsonContent(schema) },
  };
}

/** @param {string} id */
const capitalize = (id) => id[0].toUpperCase() + id.slice(1);

/**
 * Returns the sets of members that the parameters of a route may have.
 *
 * @param {Route["params"]} params
 * @returns {Members[]}
 */
function alternativesOf(params) {
  if (!params) return [{}];
  return Array.isArray(params.anyOf) ? params.anyOf.map(({ properties = {} }) => properties) : [/** @type {Members} */ (params)];
}

/**
 * Returns the operation of a route. Adds the schema of its body to `schemas`.
 *
 * @param {Route} route
 * @param {boolean} isCatalog
 * @param {Members} schemas
 * @returns {Operation}
 */
function toOperation(route, isCatalog, schemas) {
  const { method, path, id, summary, description, access = "server", tag, isStaticFile, jsonBody, paramsInQuery } = route;
  const isPost = method === "post";
  const alternatives = alternativesOf(route.params);
  const bodies = isCatalog ? alternatives.map((alternative) => ({ ...alternative, ...EXPAND })) : alternatives;
  const [params] = bodies;
  const parameters = [
    ...pathParameters(path),
    ...queryParameters(isPost && !paramsInQuery ? (route.queryParams ?? {}) : params),
    ...headerParameters({ ...route.headerParams, ...(isCatalog && STRIPE_VERSION), ...(isCatalog && isPost && IDEMPOTENCY_KEY) }),
  ];
  /** @type {object | undefined} */
  let requestBody = jsonBody && { required: true, content: jsonContent(jsonBody) };
  if (isPost && !jsonBody && Object.keys(params).length) {
    schemas[capitalize(id)] = bodies.length > 1 ? anyObjectOf(...bodies) : strictObject(params);
    requestBody = formOrJsonBody(capitalize(id), bodies);
  }
  return {
    tags: [tag ?? (isCatalog ? "catalog" : "edge")],
    operationId: id,
    summary,
    ...(description && { description }),
    security: SECURITY[access],
    ...(parameters.length && { parameters }),
    ...(requestBody && { requestBody }),
    responses: isStaticFile
      ? { 200: toSuccess(route, []) }
      : toResponses(route, isCatalog, parameters.length > 0 || !!requestBody, parameters),
  };
}

/**
 * Returns the 200 of a route, with the shared headers of these names.
 *
 * @param {Route} route
 * @param {string[]} names
 */
function toSuccess({ response, responseHeaders }, names) {
  const { media, schema } = response && "media" in response ? response : { media: "application/json", schema: response };
  const all = { ...headerRefs(...names), ...responseHeaders };
  return { description: "The request succeeded.", ...(Object.keys(all).length && { headers: all }), content: { [media]: { schema } } };
}

/**
 * Returns the responses of a route by status: those that follow from its kind, changed by its own.
 *
 * @param {Route} route
 * @param {boolean} isCatalog
 * @param {boolean} hasInput
 * @param {Parameter[]} parameters
 */
function toResponses(route, isCatalog, hasInput, parameters) {
  const { method, path, access = "server" } = route;
  const isPost = method === "post";
  const hasQuery = parameters.some((parameter) => parameter.in === "query");
  const isAuthenticated = !["public", "publicOrServer", "signature"].includes(access);
  const catalogHeaders = ["Stripe-Version", ...(isPost ? ["Idempotency-Key", "Idempotent-Replayed", "Original-Request"] : [])];
  const all = {
    200: route.response && toSuccess(route, ["Request-Id", ...(isCatalog ? catalogHeaders : [])]),
    400: hasInput && "Invalid",
    401: isAuthenticated && "Unauthorized",
    403: isAuthenticated && "Forbidden",
    404: isCatalog ? "CatalogNotFound" : path.includes("{") && "NotFound",
    409: isCatalog && isPost && "KeyInUse",
    408: isPost && "BodyTimeout",
    413: isPost && "TooLarge",
    414: hasQuery && "UriTooLong",
    431: hasQuery && "UriTooLong",
    500: "Misconfigured",
    503: path !== "/healthz" && path !== "/.well-known/jwks.json" && "Unavailable",
    ...route.responses,
  };
  return Object.fromEntries(Object.entries(all).flatMap(([status, response]) => (response ? [[status, toResponse(response)]] : [])));
}

/** @param {string | { description: string, schema?: Schema, headers?: object, content?: object }} response */
function toResponse(response) {
  if (typeof response === "string") return { $ref: `#/components/responses/${response}` };
  const { schema, headers, description, content } = response;
  return {
    description,
    headers: { ...headerRefs("Request-Id"), ...headers },
    ...(schema && { content: jsonContent(schema) }),
    ...(content && { content }),
  };
}

// --- The document ---

/**
 * Moves parameters that several operations have to the components, and returns them by name.
 *
 * @param {Operation[]} operations
 */
function shareParameters(operations) {
  const all = operations.flatMap(({ parameters = [] }) => parameters.map((parameter) => JSON.stringify(parameter)));
  /** @type {Record<string, Parameter>} */
  const shared = {};
  /** @param {Parameter} parameter */
  const share = (parameter) => {
    const json = JSON.stringify(parameter);
    const name = `${parameter.name}`.replaceAll(/\W+/g, "_").replace(/_$/, "");
    if (all.filter((other) => other === json).length < 3 || JSON.stringify(shared[name] ?? parameter) !== json) return parameter;
    shared[name] = parameter;
    return { $ref: `#/components/parameters/${name}` };
  };
  for (const operation of operations) if (operation.parameters) operation.parameters = operation.parameters.map(share);
  return shared;
}

function buildDocument() {
  /** @type {Members} */
  const schemas = { ...EDGE_SCHEMAS, ...OVERRIDE_SCHEMAS, ...OFREP_SCHEMAS, ...CATALOG_SCHEMAS };
  /** @type {Record<string, Record<string, Operation>>} */
  const paths = {};
  /**
   * @param {Route[]} routes
   * @param {boolean} isCatalog
   */
  const addRoutes = (routes, isCatalog) => {
    for (const route of routes) paths[route.path] = { ...paths[route.path], [route.method]: toOperation(route, isCatalog, schemas) };
  };
  addRoutes(EDGE_ROUTES, false);
  addRoutes(CATALOG_ROUTES, true);
  const parameters = shareParameters(Object.values(paths).flatMap((item) => Object.values(item)));
  return {
    openapi: "3.1.0",
    info: {
      title: "entgate",
      version: VERSION,
      summary: "May this customer use this feature?",
      description:
        "Every response has a `Request-Id`. Errors have Stripe's envelope. A path with GET also accepts HEAD, and every path accepts OPTIONS. Any other method is a 405 with `Allow`. Unknown parameters are an error.",
      license: { name: "MIT OR Apache-2.0", identifier: "MIT OR Apache-2.0" },
    },
    servers: [{ url: "/" }],
    tags: [
      { name: "edge", description: "Checks of entitlements, and the routes that keep entitlements up to date." },
      { name: "openfeature", description: "OpenFeature's Remote Evaluation Protocol (OFREP) 0.3.0." },
      { name: "catalog", description: "Stripe's API around entitlements. These paths are a 404 unless ENTGATE_SOURCE is `catalog`." },
    ],
    paths,
    components: { securitySchemes: SECURITY_SCHEMES, parameters, headers: HEADERS, responses: RESPONSES, schemas },
  };
}

/** Returns the document as it is stored in www/console/openapi.json. */
export const renderDocument = () => `${JSON.stringify(buildDocument(), null, 1)}\n`;

/** @param {string} path */
const toUrl = (path) => new URL(`../${path}`, import.meta.url);
/** The content of a file; empty if there is none. @param {string} path */
const read = (path) => (existsSync(toUrl(path)) ? readFileSync(toUrl(path), "utf8") : "");

/** Returns the content that each file has to have, by its path. @returns {Record<string, string>} */
function renderFiles() {
  const document = JSON.parse(renderDocument());
  /** @type {Record<string, string>} */
  const files = { [DOCUMENT]: renderDocument(), [CATALOG_PAGE]: renderCatalogPage(document) };
  const elsewhere = new Set(OTHER_PAGES.flatMap((path) => operationIdsIn(read(path))));
  for (const path of [API_PAGE, ...OTHER_PAGES.filter(read)]) {
    files[path] = renderApiPage(document, read(path), (id) => path !== API_PAGE || elsewhere.has(id));
  }
  return files;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const isCheck = process.argv.includes("--check");
  for (const [path, content] of Object.entries(renderFiles())) {
    if (read(path) === content) continue;
    if (!isCheck) writeFileSync(toUrl(path), content);
    else {
      console.error(`${path} is not up to date. Run: node scripts/openapi.mjs`);
      process.exitCode = 1;
    }
  }
}
