// Stubs of Durable Objects. Both cores of the Worker import this module, and every stub is created here: an object is in the
// jurisdiction and, at its first use, near the location hint of the deployment. An empty string means none.

/** The id of the object with this name, as text. Throws if the runtime has no jurisdictions. */
export const objectId = (namespace, name, jurisdiction) => inJurisdiction(namespace, jurisdiction).idFromName(name).toString();

/** The stub of the object with this name. Throws if the runtime has no jurisdictions. */
export function objectStub(namespace, name, jurisdiction, locationHint) {
  const objects = inJurisdiction(namespace, jurisdiction);
  return objects.get(objects.idFromName(name), locationHint ? { locationHint } : undefined);
}

const inJurisdiction = (namespace, jurisdiction) => (jurisdiction ? namespace.jurisdiction(jurisdiction) : namespace);
