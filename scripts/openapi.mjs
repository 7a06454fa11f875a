// Writes www/console/openapi.json, the OpenAPI document of all routes, from the tables in openapi/.
//
//   node scripts/openapi.mjs           writes it
//   node scripts/openapi.mjs --check   fails if it would write another one
//
// | file          | what                                                        |
// |---------------|-------------------------------------------------------------|
// | words.mjs     | the kinds of values, and how a line of a table is written    |
// | edge.mjs      | the routes of the edge                                       |
// | catalog.mjs   | the routes of the catalog                                    |
// | schemas.mjs   | the objects                                                  |
//
// Here is what all of them have in common: who asks, what goes wrong, headers. To add a route, write its line in edge.mjs or
// catalog.mjs, and the object that it answers in schemas.mjs. `tests/it/openapi.rs` holds the lines to the tables of routes in
// src/api, and `tests/worker/openapi.test.mjs` what they say to what the Worker does.

import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { CATALOG } from "./openapi/catalog.mjs";
import { EDGE } from "./openapi/edge.mjs";
import { SCHEMAS } from "./openapi/schemas.mjs";
import { anyOf, filled, integer, isNeeded, list, map, ref, text } from "./openapi/schema-dsl.mjs";

const FILE = new URL("../www/console/openapi.json", import.meta.url);
const VERSION = readFileSync(new URL("../Cargo.toml", import.meta.url), "utf8").match(/^version = "(.*)"$/m)[1];

// --- Who asks ---

const SERVER = [{ serverKey: [] }, { serverKeyAsUser: [] }, { apiKey: [] }];
const CUSTOMER = [...SERVER, { customerToken: [] }];
const WHO = {
  anyone: [],
  signature: [{ signature: [] }],
  server: SERVER,
  customer: CUSTOMER,
  stream: [...CUSTOMER, { tokenInQuery: [] }],
  streamToken: [{ tokenInQuery: [] }],
};

const SECURITY_SCHEMES = {
  serverKey: { type: "http", scheme: "bearer", description: "A server key, `sk_test_…` or `sk_live_…`. It decides the mode." },
  serverKeyAsUser: { type: "http", scheme: "basic", description: "A server key as the user name, without a password." },
  customerToken: { type: "http", scheme: "bearer", bearerFormat: "JWT", description: "A token that names one customer." },
  apiKey: { type: "apiKey", in: "header", name: "X-API-Key", description: "A server key, or a customer token where one is taken." },
  tokenInQuery: { type: "apiKey", in: "query", name: "token", description: "A customer token in the address of a stream." },
  signature: {
    type: "apiKey",
    in: "header",
    name: "Stripe-Signature",
    description: "`t=…,v1=…`, made over the body with the endpoint's secret: https://docs.stripe.com/webhooks/signature",
  },
};

// --- What is the same everywhere ---

const HEADERS = {
  "Request-Id": { description: "Names the request in logs and events.", schema: filled(undefined, { pattern: "^req_" }) },
  "Retry-After": { description: "Seconds after which to try again.", schema: integer(0) },
  "WWW-Authenticate": { description: "How to say who you are.", schema: filled() },
  "Stripe-Version": { description: "The version of Stripe's API that the objects are of.", schema: filled() },
  "Idempotency-Key": { description: "The key of the request, if it had one.", schema: filled() },
  "Idempotent-Replayed": { description: "There if the answer was given before.", schema: { const: "true" } },
  "Original-Request": { description: "The request that the answer was given to first.", schema: filled(undefined, { pattern: "^req_" }) },
};

const headers = (...names) => Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
const json = (schema) => ({ "application/json": { schema } });
const failure = (description, ...more) => ({ description, headers: headers("Request-Id", ...more), content: json(ref("Error")) });

const RESPONSES = {
  Invalid: failure("A parameter is missing, unknown or at fault, or names what is not there."),
  Unauthorized: failure("No key or token was given, or none that is taken.", "WWW-Authenticate"),
  Declined: failure("The charge was declined, and `payment_behavior` asks for an error then."),
  Forbidden: failure("A token may not ask this: code `customer_mismatch` or `server_key_required`."),
  NotFound: failure("The path names what is not there."),
  NoCatalog: failure("The path names what is not there, or ENTGATE_SOURCE is not `catalog`."),
  InUse: failure("Another request with this Idempotency-Key is not answered yet."),
  TooLarge: failure("The body is longer than any request needs."),
  TooLong: { description: "The address is longer than the platform takes, which says so in words of its own." },
  TooMany: failure("Too many at once. Try again later.", "Retry-After"),
  Misconfigured: failure("A setting of the deployment is malformed."),
  Unavailable: failure("It cannot be known or done now, which is not a no; or a setting is not there that it needs.", "Retry-After"),
  NoBody: { description: "Not known who asks, or not theirs to ask." },
};

const PATH_PARAMETERS = {
  id: ["An id.", filled()],
  product: ["The id of a product.", filled()],
  key: ["A feature's lookup key.", ref("LookupKey")],
};

const EXPAND = {
  expand: list(text(), 20, { description: "Puts objects where their ids are: paths of up to four members, `data.customer`." }),
};
const IDEMPOTENCY = {
  "Idempotency-Key": text(255, { minLength: 1, pattern: "^[ -~]+$", description: "Under one key a request is done once." }),
};

// --- From a line to an operation ---

/** The parameters of a query string that stand for a value. Stripe writes lists as `name[]`, and members as `name[member]`. */
function flat(name, schema, isRequired = isNeeded(schema)) {
  if (schema.anyOf) return schema.anyOf.flatMap((either) => flat(name, either, isRequired));
  if (schema.type === "object") return Object.entries(schema.properties).flatMap(([member, inner]) => flat(`${name}[${member}]`, inner));
  const { description, repeated, ...rest } = schema;
  const parameter = (name, more) => ({
    name,
    in: "query",
    ...(isRequired && { required: true }),
    ...(description && { description }),
    schema: rest,
    ...more,
  });
  if (schema.type !== "array") return [parameter(name)];
  return [parameter(repeated ? name : `${name}[]`, { style: "form", explode: true })];
}

const query = (members) => Object.entries(members).flatMap(([name, schema]) => flat(name, schema));

function pathParameters(path) {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => {
    const [description, schema] = PATH_PARAMETERS[name];
    return { name, in: "path", required: true, description, schema };
  });
}

const headerParameters = (members) =>
  Object.entries(members).map(([name, { description, ...schema }]) => ({
    name,
    in: "header",
    ...(description && { description }),
    schema,
  }));

/** Whether a value has parts, which a form writes as `name[part]`. */
const hasParts = (schema) =>
  ["object", "array"].includes(schema.type) || schema.$ref === "#/components/schemas/MetadataChange" || (schema.anyOf ?? []).some(hasParts);

function formOrJson(name, bodies) {
  const schema = ref(name);
  const members = Object.assign({}, ...bodies);
  const parts = Object.keys(members).filter((member) => hasParts(members[member]));
  const encoding = Object.fromEntries(parts.map((member) => [member, { style: "deepObject", explode: true }]));
  const required = bodies.every((body) => Object.values(body).some(isNeeded));
  return {
    ...(required && { required }),
    content: { "application/x-www-form-urlencoded": { schema, ...(parts.length && { encoding }) }, ...json(schema) },
  };
}

const capital = (id) => id[0].toUpperCase() + id.slice(1);

function operation(line, isCatalog, schemas) {
  const { method, path, id, summary, description, who = "server", tag, file, json: body, inQuery } = line;
  const isPost = method === "post";
  const choices = line.takes?.anyOf?.map(({ properties }) => properties) ?? [line.takes ?? {}];
  const bodies = isCatalog ? choices.map((choice) => ({ ...choice, ...EXPAND })) : choices;
  const [takes] = bodies;
  const parameters = [
    ...pathParameters(path),
    ...query(isPost && !inQuery ? (line.takesQuery ?? {}) : takes),
    ...headerParameters({ ...line.takesHeaders, ...(isCatalog && isPost && IDEMPOTENCY) }),
  ];
  let requestBody = body && { required: true, content: json(body) };
  if (isPost && !body && Object.keys(takes).length) {
    schemas[capital(id)] = bodies.length > 1 ? anyOf(...bodies) : map(takes);
    requestBody = formOrJson(capital(id), bodies);
  }
  return {
    tags: [tag ?? (isCatalog ? "catalog" : "edge")],
    operationId: id,
    summary,
    ...(description && { description }),
    security: WHO[who],
    ...(parameters.length && { parameters }),
    ...(requestBody && { requestBody }),
    responses: file ? { 200: answered(line, []) } : responses(line, isCatalog, parameters, requestBody),
  };
}

function answered({ answers, headers: own }, names) {
  const { media = "application/json", schema = answers } = answers;
  const all = { ...headers(...names), ...own };
  return { description: "As it was asked.", ...(Object.keys(all).length && { headers: all }), content: { [media]: { schema } } };
}

function responses(line, isCatalog, parameters, requestBody) {
  const { method, path, who = "server", statuses = {} } = line;
  const isPost = method === "post";
  const queries = parameters.some((parameter) => parameter.in === "query");
  const catalogs = ["Stripe-Version", ...(isPost ? ["Idempotency-Key", "Idempotent-Replayed", "Original-Request"] : [])];
  const all = {
    200: line.answers && answered(line, ["Request-Id", ...(isCatalog ? catalogs : [])]),
    400: (parameters.length > 0 || requestBody) && "Invalid",
    401: who !== "anyone" && who !== "signature" && "Unauthorized",
    403: who !== "anyone" && who !== "signature" && !isCatalog && "Forbidden",
    404: isCatalog ? "NoCatalog" : path.includes("{") && "NotFound",
    409: isCatalog && isPost && "InUse",
    413: isPost && "TooLarge",
    414: queries && "TooLong",
    431: queries && "TooLong",
    500: "Misconfigured",
    503: path !== "/healthz" && path !== "/.well-known/jwks.json" && "Unavailable",
    ...statuses,
  };
  const written = (answer) => {
    if (typeof answer === "string") return { $ref: `#/components/responses/${answer}` };
    const { schema, headers: own, description, content } = answer;
    return {
      description,
      headers: { ...headers("Request-Id"), ...own },
      ...(schema && { content: json(schema) }),
      ...(content && { content }),
    };
  };
  return Object.fromEntries(
    Object.entries(all)
      .filter(([, answer]) => answer)
      .map(([status, answer]) => [status, written(answer)]),
  );
}

// --- The document ---

/** Moves the parameters that several operations have into the components. */
function share(paths) {
  const operations = Object.values(paths).flatMap((item) => Object.values(item));
  const all = operations.flatMap(({ parameters = [] }) => parameters.map((parameter) => JSON.stringify(parameter)));
  const shared = {};
  const shareOne = (parameter) => {
    const written = JSON.stringify(parameter);
    const name = parameter.name.replaceAll(/\W+/g, "_").replace(/_$/, "");
    if (all.filter((other) => other === written).length < 3 || JSON.stringify(shared[name] ?? parameter) !== written) return parameter;
    shared[name] = parameter;
    return { $ref: `#/components/parameters/${name}` };
  };
  for (const operation of operations) if (operation.parameters) operation.parameters = operation.parameters.map(shareOne);
  return shared;
}

function build() {
  const schemas = { ...SCHEMAS };
  const paths = {};
  for (const [lines, isCatalog] of [
    [EDGE, false],
    [CATALOG, true],
  ]) {
    for (const line of lines) (paths[line.path] ??= {})[line.method] = operation(line, isCatalog, schemas);
  }
  const parameters = share(paths);
  return {
    openapi: "3.1.0",
    info: {
      title: "entgate",
      version: VERSION,
      summary: "May this customer use this feature?",
      description:
        "Every answer has a `Request-Id`, and errors are Stripe's envelope. A path that has a GET takes HEAD too, and every path OPTIONS; another method is a 405 with `Allow`. Parameters that are not described are refused.",
      license: { name: "MIT OR Apache-2.0", identifier: "MIT OR Apache-2.0" },
    },
    servers: [{ url: "/" }],
    tags: [
      { name: "edge", description: "The question, and what keeps its answer true." },
      { name: "openfeature", description: "OpenFeature's Remote Evaluation Protocol (OFREP) 0.3.0." },
      { name: "catalog", description: "Stripe's API around entitlements. Only with ENTGATE_SOURCE=catalog; else these paths are a 404." },
    ],
    paths,
    components: { securitySchemes: SECURITY_SCHEMES, parameters, headers: HEADERS, responses: RESPONSES, schemas },
  };
}

export const written = () => `${JSON.stringify(build(), null, 1)}\n`;

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  if (!process.argv.includes("--check")) writeFileSync(FILE, written());
  else if (readFileSync(FILE, "utf8") !== written()) {
    console.error("www/console/openapi.json is not what its tables say. Run: node scripts/openapi.mjs");
    process.exit(1);
  }
}
