// `wrangler.jsonc` of a project. Also that of the template for Cloudflare's Deploy button.

const HEADER = `// Configuration of the Worker: https://developers.cloudflare.com/workers/wrangler/configuration/
// The first deployment creates the KV namespace, and writes its id into this file.
`;

const PACKAGE = "node_modules/@entgate/worker";

/** Comments above members. @type {Record<string, string>} */
const COMMENTS = {
  main: `The built Worker. Without the catalog it is smaller: ${PACKAGE}/without-catalog/index.js`,
  assets: "The console at `/`.",
  vars: "Settings that are not secret: docs/configuration.md of entgate lists all.",
  kv_namespaces: "The replica: one key per customer.",
  durable_objects: "The ledgers, which are the source of truth, and the objects around them.",
  triggers: "Every minute: compares ledgers with the source.",
};

/**
 * @param {{ name: string, source: string, jurisdiction?: string, requirements: object }} options
 */
export function wranglerConfig({ name, source, jurisdiction = "none", requirements }) {
  const { compatibility_date, ...others } = /** @type {{ compatibility_date: string }} */ (requirements);
  const config = {
    $schema: "node_modules/wrangler/config-schema.json",
    name,
    main: `${PACKAGE}/with-catalog/index.js`,
    no_bundle: true,
    compatibility_date,
    workers_dev: true,
    assets: { directory: `${PACKAGE}/console` },
    vars: { ENTGATE_SOURCE: source, ...(jurisdiction !== "none" && { ENTGATE_JURISDICTION: jurisdiction }) },
    ...others,
  };
  const members = Object.entries(config).map(([member, value]) => {
    const comment = COMMENTS[member] ? `  // ${COMMENTS[member]}\n` : "";
    return `${comment}  ${JSON.stringify(member)}: ${JSON.stringify(value, null, 2).replaceAll("\n", "\n  ")}`;
  });
  return `${HEADER}{\n${members.join(",\n")}\n}\n`;
}
