// Tokens that the Worker must reject, and the error of each: forged, modified, malformed, expired, and for other uses.

import { createPublicKey } from "node:crypto";
import { createKeyPair, ISSUER } from "./identity-provider.mjs";
import { KEY, unixNow } from "./support.mjs";
import {
  BAD_SIGNATURE,
  CHECK,
  encodePart,
  invalid,
  issuerClaims,
  OLD_SECRET,
  ownClaims,
  SECRET,
  signHs256,
  signWithKey,
  UNKNOWN_KEY,
} from "./token-fixtures.mjs";

/** @import { KeyPair, startIdentityProvider } from "./identity-provider.mjs" */
/** @import { Outcome } from "./token-fixtures.mjs" */

/** A time as messages have it. @param {number} seconds */
const utc = (seconds) => new Date(seconds * 1000).toISOString().replace("T", " ").replace(".000Z", " UTC").replace(/^\+0*/, "");
const DATE = "\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d UTC";

/** Why, the token (`null` for none), the error, and the path of the request. @typedef {[string, string | null, Outcome, string?]} Row */

const UNSIGNED = invalid("The token is not signed.");
const NOT_JSON = invalid("The token is malformed: a part is not valid JSON.");
const NOT_AN_OBJECT = invalid("The token is malformed: a part is not a JSON object.");
const NOT_THREE_PARTS = invalid("The token is malformed: it does not have three parts separated by dots.");
const NOT_BASE64 = invalid("The token is malformed: a part is not base64url without padding.");
const NOT_STRINGS = invalid("The token is malformed: `alg`, `kid` and `typ` must be strings.");
const OTHER_AUDIENCE = invalid("The token is for another audience.");
const OTHER_ISSUER = invalid("The token is from another issuer.");
/** @type {Outcome} */
const OTHER_CUSTOMER = [403, "customer_mismatch", "The token belongs to another customer. Leave the customer out: the token names it."];
/** @type {Outcome} */
const NO_CUSTOMER = [403, "customer_missing", "The token has no customer in `sub`."];
/** @param {string} algorithm */
const unsupported = (algorithm) =>
  invalid(`The token is signed with \`${algorithm}\`, and only HS256, RS256, ES256 and EdDSA are accepted.`);
/** @param {string} claim */
const missing = (claim) => invalid(`The token has no \`${claim}\`.`);
/** @param {string} member */
const duplicate = (member) => invalid(`The token has the duplicate member \`${member}\`.`);
/** @param {string} type */
const otherType = (type) => invalid(`The token is of the type \`${type}\`, which is not accepted.`);
/** @param {number} exp @returns {Outcome} */
const expired = (exp) => [401, "token_expired", new RegExp(`^The token expired at ${utc(exp)}; the current time is ${DATE}\\.$`)];
/** @param {number} time */
const notYetValid = (time) => invalid(new RegExp(`^The token is not valid before ${utc(time)}; the current time is ${DATE}\\.$`));

/**
 * All invalid tokens. The provider publishes the keys `rsa`, `ec` and `ed`.
 *
 * @param {object} fixture
 * @param {Awaited<ReturnType<typeof startIdentityProvider>>} fixture.provider
 * @param {KeyPair} fixture.rsa
 * @param {KeyPair} fixture.ec
 * @param {KeyPair} fixture.ed
 * @param {string} fixture.snapshot
 * @returns {Promise<Row[]>}
 */
export async function createInvalidTokens(fixture) {
  return [
    ...(await confusedTokens(fixture)),
    ...(await forgedTokens(fixture)),
    ...unsignedTokens(fixture),
    ...duplicateMembers(fixture),
    ...malformedTokens(),
    ...(await expiredTokens(fixture)),
    ...(await otherUses(fixture)),
  ];
}

/** The header of a token by one of the provider's keys. @param {"HS256" | "RS256" | "ES256" | "EdDSA"} alg */
const headerOf = (alg) => ({ alg, kid: { HS256: undefined, RS256: "rsa", ES256: "ec", EdDSA: "ed" }[alg] });

/** Keys, algorithms and tokens used for each other. @returns {Promise<Row[]>} */
async function confusedTokens({ provider, rsa, ec, ed, snapshot }) {
  const publicKey = createPublicKey({ key: rsa.jwk, format: "jwk" });
  const pem = publicKey.export({ type: "spki", format: "pem" });
  const der = publicKey.export({ type: "spki", format: "der" });
  const otherCurve = await createKeyPair("ES384", "ec");
  const p1363 = /** @type {const} */ ({ dsaEncoding: "ieee-p1363" });
  const pss = { padding: 6, saltLength: 32 };
  const hs256 = { alg: "HS256" };
  return [
    ["HS256, the RSA key as PEM for a secret", signHs256(issuerClaims(), headerOf("HS256"), pem), BAD_SIGNATURE],
    ["the same with the RSA key's id", signHs256(issuerClaims(), { alg: "HS256", kid: "rsa" }, pem), UNKNOWN_KEY],
    ["HS256, the RSA key as DER for a secret", signHs256(ownClaims(), hs256, der), BAD_SIGNATURE],
    ["HS256, the RSA key as JWK for a secret", signHs256(ownClaims(), hs256, JSON.stringify(rsa.jwk)), BAD_SIGNATURE],
    ["HS256, the RSA key's modulus for a secret", signHs256(ownClaims(), hs256, rsa.jwk.n), BAD_SIGNATURE],
    ["HS256, the modulus as bytes for a secret", signHs256(ownClaims(), hs256, Buffer.from(rsa.jwk.n, "base64url")), BAD_SIGNATURE],
    ["HS256, the point of the EC key for a secret", signHs256(ownClaims(), hs256, ec.jwk.x), BAD_SIGNATURE],
    ["HS256, the Ed25519 key for a secret", signHs256(ownClaims(), hs256, Buffer.from(ed.jwk.x, "base64url")), BAD_SIGNATURE],
    ["HS256 with an empty secret", signHs256(ownClaims(), hs256, ""), BAD_SIGNATURE],
    ["HS256 with the server key", signHs256(ownClaims(), hs256, KEY), BAD_SIGNATURE],
    ["HS256 with the whole setting of both secrets", signHs256(ownClaims(), hs256, `${SECRET},${OLD_SECRET}`), BAD_SIGNATURE],
    ["RS256 with the EC key's id", signWithKey(rsa.privateKey, { alg: "RS256", kid: "ec" }), UNKNOWN_KEY],
    ["ES256 with the RSA key's id", signWithKey(ec.privateKey, { alg: "ES256", kid: "rsa" }, issuerClaims(), p1363), UNKNOWN_KEY],
    ["EdDSA with the EC key's id", signWithKey(ed.privateKey, { alg: "EdDSA", kid: "ec" }, issuerClaims(), { hash: null }), UNKNOWN_KEY],
    ["RS256 with a signature by the EC key", signWithKey(ec.privateKey, headerOf("RS256")), BAD_SIGNATURE],
    ["EdDSA with a signature by the EC key", signWithKey(ec.privateKey, headerOf("EdDSA"), issuerClaims(), p1363), BAD_SIGNATURE],
    ["RS256 with the padding of PS256", signWithKey(rsa.privateKey, headerOf("RS256"), issuerClaims(), pss), BAD_SIGNATURE],
    ["RS256 with another hash", signWithKey(rsa.privateKey, headerOf("RS256"), issuerClaims(), { hash: "sha512" }), BAD_SIGNATURE],
    ["PS256", signWithKey(rsa.privateKey, { alg: "PS256", kid: "rsa" }, issuerClaims(), pss), unsupported("PS256")],
    ["ES384", await provider.sign(otherCurve), unsupported("ES384")],
    ["the issuer's claims, signed with entgate's secret", signHs256(issuerClaims()), missing("aud")],
    [
      "entgate's claims, signed with the issuer's key",
      await provider.sign(ec, { iss: undefined, aud: "entgate", livemode: true }),
      missing("iss"),
    ],
    ["a snapshot", snapshot, otherType("entitlements+jwt")],
    ["a snapshot with another type", [encodePart({ alg: "EdDSA" }), ...snapshot.split(".").slice(1)].join("."), OTHER_ISSUER],
    ["a token for a stream", signHs256(ownClaims({ aud: "entgate:stream" })), OTHER_AUDIENCE],
    ["a logout token", await provider.sign(ec, {}, { typ: "logout+jwt" }), otherType("logout+jwt")],
  ];
}

/** Forged signatures, and headers that name a key of the attacker. @returns {Promise<Row[]>} */
async function forgedTokens({ provider, ec }) {
  const [header, claims, mac] = signHs256().split(".");
  const attacker = await createKeyPair("ES256", "ec");
  const attackerUrl = provider.url.replace("jwks", "attacker");
  const [, , signature] = (await provider.sign(ec)).split(".");
  const signingInput = `${encodePart(headerOf("ES256"))}.${encodePart(issuerClaims())}`;
  /** @param {Uint8Array | number[]} bytes */
  const withSignature = (bytes) => `${signingInput}.${Buffer.from(bytes).toString("base64url")}`;
  // The order of the curve P-256.
  const order = Buffer.from("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", "hex");
  return [
    ["another key with the id of the issuer's key", await provider.sign(attacker), BAD_SIGNATURE],
    ["ES256 in DER", signWithKey(ec.privateKey, headerOf("ES256"), issuerClaims(), { dsaEncoding: "der" }), BAD_SIGNATURE],
    ["ES256 of zeros", withSignature(new Uint8Array(64)), BAD_SIGNATURE],
    ["ES256 of the curve's order, twice", withSignature([...order, ...order]), BAD_SIGNATURE],
    ["ES256 with an additional byte", withSignature([...Buffer.from(signature, "base64url"), 0]), BAD_SIGNATURE],
    ["ES256 over another signing input", withSignature(Buffer.from(signature, "base64url")), BAD_SIGNATURE],
    ["RS256 of zeros", `${encodePart(headerOf("RS256"))}.${encodePart(issuerClaims())}.${encodePart("\0".repeat(256))}`, BAD_SIGNATURE],
    ["EdDSA of zeros", `${encodePart(headerOf("EdDSA"))}.${encodePart(issuerClaims())}.${encodePart("\0".repeat(64))}`, BAD_SIGNATURE],
    ["other claims with a valid signature", `${header}.${encodePart(ownClaims({ sub: "cus_bob" }))}.${mac}`, BAD_SIGNATURE],
    ["another header with a valid signature", `${encodePart({ alg: "HS256", typ: "JWT" })}.${claims}.${mac}`, BAD_SIGNATURE],
    ["half of a signature", `${header}.${claims}.${Buffer.from(mac, "base64url").subarray(0, 16).toString("base64url")}`, BAD_SIGNATURE],
    ["an empty signature", `${header}.${claims}.`, BAD_SIGNATURE],
    ["an empty signature with RS256", `${encodePart(headerOf("RS256"))}.${encodePart(issuerClaims())}.`, BAD_SIGNATURE],
    ["a key in the header", await provider.sign(attacker, {}, { kid: undefined, jwk: attacker.jwk }), BAD_SIGNATURE],
    ["a URL of keys in the header", await provider.sign(attacker, {}, { kid: "new", jku: attackerUrl }), UNKNOWN_KEY],
    ["a URL of certificates in the header", await provider.sign(attacker, {}, { kid: "new", x5u: attackerUrl }), UNKNOWN_KEY],
    ["certificates in the header", await provider.sign(attacker, {}, { kid: "new", x5c: ["MIIB"] }), UNKNOWN_KEY],
    ["a key id that is a file", signHs256(ownClaims(), { alg: "HS256", kid: "../../../../dev/null" }, ""), UNKNOWN_KEY],
    ["a key id that is a query", signHs256(ownClaims(), { alg: "HS256", kid: "x' UNION SELECT 'a" }, "a"), UNKNOWN_KEY],
    ["a key id that is a URL", signHs256(ownClaims(), { alg: "HS256", kid: attackerUrl }), UNKNOWN_KEY],
    ["a key id with a NUL", await provider.sign(ec, {}, { kid: "ec\0" }), UNKNOWN_KEY],
    ["a key id in upper case", await provider.sign(ec, {}, { kid: "EC" }), UNKNOWN_KEY],
    ["a key id that is a number", signHs256(ownClaims(), { alg: "HS256", kid: 0 }), NOT_STRINGS],
    ["a key id from the prototype", await provider.sign(ec, {}, { kid: "__proto__" }), UNKNOWN_KEY],
  ];
}

/** Tokens without a signature, or with an unknown algorithm. @returns {Row[]} */
function unsignedTokens({ rsa, ed }) {
  const [, claims] = signHs256().split(".");
  return [
    ...["none", "None", "NONE", "nOnE"].map(
      (none) => /** @type {Row} */ ([`the algorithm \`${none}\``, `${encodePart({ alg: none })}.${claims}.`, UNSIGNED]),
    ),
    ["the algorithm `none` with a signature", signHs256(ownClaims(), { alg: "none" }), UNSIGNED],
    ["the algorithm `none`, escaped", `${encodePart('{"alg":"\\u006eone"}')}.${claims}.`, UNSIGNED],
    ["the algorithm `none` with a space", `${encodePart({ alg: "none " })}.${claims}.`, unsupported("none ")],
    ["an empty algorithm", `${encodePart({ alg: "" })}.${claims}.`, unsupported("")],
    ["the algorithm `hs256`", signHs256(ownClaims(), { alg: "hs256" }), unsupported("hs256")],
    ["the algorithm `Rs256`", signWithKey(rsa.privateKey, { alg: "Rs256", kid: "rsa" }), unsupported("Rs256")],
    [
      "the algorithm `EDDSA`",
      signWithKey(ed.privateKey, { alg: "EDDSA", kid: "ed" }, issuerClaims(), { hash: null }),
      unsupported("EDDSA"),
    ],
    ["an algorithm with a Cyrillic letter", signHs256(ownClaims(), { alg: "НS256" }), unsupported("НS256")],
    ["an array of algorithms", signHs256(ownClaims(), { alg: ["HS256"] }), NOT_STRINGS],
    ["an object for an algorithm", signHs256(ownClaims(), { alg: { name: "HS256" } }), NOT_STRINGS],
    ["no algorithm", signHs256(ownClaims(), { typ: "JWT" }), invalid("The token is malformed: it has no `alg`.")],
  ];
}

/** Duplicate members, and critical extensions. @returns {Row[]} */
function duplicateMembers({ ec }) {
  const [, claims, mac] = signHs256().split(".");
  const p1363 = /** @type {const} */ ({ dsaEncoding: "ieee-p1363" });
  const own = JSON.stringify(ownClaims());
  const byIssuer = JSON.stringify(issuerClaims()).replace("{", '{"sub":"cus_bob",');
  return [
    ["two algorithms", `${encodePart('{"alg":"HS256","alg":"none"}')}.${claims}.${mac}`, duplicate("alg")],
    ["two algorithms, one escaped", `${encodePart('{"alg":"HS256","\\u0061lg":"none"}')}.${claims}.${mac}`, duplicate("alg")],
    ["two key ids", signHs256(ownClaims(), '{"alg":"HS256","kid":"a","kid":"b"}'), duplicate("kid")],
    ["two customers", signHs256(own.replace("{", '{"sub":"cus_bob",')), duplicate("sub")],
    ["two customers by the issuer", signWithKey(ec.privateKey, headerOf("ES256"), byIssuer, p1363), duplicate("sub")],
    ["two expiries", signHs256(own.replace("}", `,"exp":${unixNow() + 9}}`)), duplicate("exp")],
    ["a duplicate in a nested claim", signHs256(own.replace("{", '{"act":{"sub":"a","sub":"b"},')), duplicate("sub")],
    ["a duplicate in a nested header parameter", signHs256(ownClaims(), '{"alg":"HS256","a":[{"b":1,"b":1}]}'), duplicate("b")],
    [
      "a critical extension",
      signHs256(ownClaims(), { alg: "HS256", crit: ["b64"], b64: false }),
      invalid("The token has a critical header that is not supported: `crit`."),
    ],
  ];
}

/** Tokens that are not three parts of JSON in base64url. @returns {Row[]} */
function malformedTokens() {
  const good = signHs256();
  const [header, claims, mac] = good.split(".");
  // The last character of the signature has two bits that must be zero. This sets one of them.
  const last = { A: "B", E: "F", I: "J", M: "N", Q: "R", U: "V", Y: "Z", c: "d", g: "h", k: "l", o: "p", s: "t", w: "x" };
  const lastDigits = { 0: "1", 4: "5", 8: "9" };
  return [
    ["two parts", `${header}.${claims}`, NOT_THREE_PARTS],
    ["one part", header, NOT_THREE_PARTS],
    ["four parts", `${good}.${mac}`, NOT_THREE_PARTS],
    ["five parts, as an encrypted token", `${encodePart({ alg: "dir", enc: "A256GCM" })}..a.b.c`, NOT_THREE_PARTS],
    ["the header without its last character", `${header.slice(0, -1)}.${claims}.${mac}`, NOT_BASE64],
    ["the header without its last four characters", `${header.slice(0, -4)}.${claims}.${mac}`, NOT_JSON],
    ["the claims without their last characters", `${header}.${claims.slice(0, -3)}.${mac}`, BAD_SIGNATURE],
    ["a signature of one character", `${header}.${claims}.${mac[0]}`, NOT_BASE64],
    ["an empty header", `.${claims}.${mac}`, NOT_JSON],
    ["three empty parts", "..", NOT_JSON],
    ["padding", `${good}=`, NOT_BASE64],
    ["the standard alphabet", `${header}.${claims}.+/${mac.slice(2)}`, NOT_BASE64],
    ["trailing bits that are not zero", `${good.slice(0, -1)}${{ ...last, ...lastDigits }[good.slice(-1)]}`, NOT_BASE64],
    ["a space inside", `${header} .${claims}.${mac}`, NOT_BASE64],
    ["a comma at the end", `${good},`, NOT_BASE64],
    ["8,193 bytes", good.padEnd(8_193, "A"), invalid("The token is longer than 8192 bytes.")],
    ["a header that is not JSON", signHs256(ownClaims(), "alg=HS256"), NOT_JSON],
    ["a header that is a string", signHs256(ownClaims(), '"HS256"'), NOT_AN_OBJECT],
    ["claims that are not UTF-8", signHs256(Buffer.from('{"sub":"\xff"}', "latin1")), NOT_JSON],
    ["claims that are an array", signHs256("[]"), NOT_AN_OBJECT],
    ["claims without a closing brace", signHs256('{"sub":"cus_ada"'), NOT_JSON],
    ["claims that are nested too deeply", signHs256(`{"a":${"[".repeat(2_000)}${"]".repeat(2_000)}}`), NOT_JSON],
    [
      "a header that is nested too deeply",
      signHs256(ownClaims(), `{"alg":"HS256","a":${'{"a":'.repeat(500)}1${"}".repeat(500)}}`),
      NOT_JSON,
    ],
  ];
}

/** Tokens that are expired, not valid yet, or without a valid time. @returns {Promise<Row[]>} */
async function expiredTokens({ provider, rsa, ed }) {
  const now = unixNow();
  const notATime = invalid("The token's `exp` is not a timestamp in Unix seconds.");
  return [
    ["expired", signHs256(ownClaims({ exp: now - 3_600 })), expired(now - 3_600)],
    ["expired, by the issuer", await provider.sign(rsa, { exp: now - 3_600 }), expired(now - 3_600)],
    ["no expiry", signHs256(ownClaims({ exp: undefined })), missing("exp")],
    ["an expiry that is a string", signHs256(ownClaims({ exp: String(now + 900) })), notATime],
    ["an expiry before 1970", signHs256(ownClaims({ exp: -1 })), expired(-1)],
    ["an expiry in a fraction of a second", signHs256(ownClaims({ exp: 0.5 })), expired(0)],
    ["an expiry that overflows", signHs256(JSON.stringify(ownClaims()).replace(/"exp":\d+/, '"exp":1e400')), NOT_JSON],
    ["an expiry that is null", signHs256(ownClaims({ exp: null })), notATime],
    ["not valid before a time in milliseconds", signHs256(ownClaims({ nbf: now * 1_000 })), notYetValid(now * 1_000)],
    ["not valid yet", signHs256(ownClaims({ nbf: now + 3_600 })), notYetValid(now + 3_600)],
    ["issued in the future", await provider.sign(ed, { iat: now + 3_600 }), notYetValid(now + 3_600)],
  ];
}

/** Tokens for another audience, issuer, mode or customer, and valid tokens on routes that they do not authorize. @returns {Promise<Row[]>} */
async function otherUses({ provider, ec }) {
  const good = signHs256();
  return [
    ["another audience", signHs256(ownClaims({ aud: "other" })), OTHER_AUDIENCE],
    ["an audience where none is configured", await provider.sign(ec, { aud: "other" }), OTHER_AUDIENCE],
    ["no audience", signHs256(ownClaims({ aud: undefined })), missing("aud")],
    ["another issuer", await provider.sign(ec, { iss: "https://other.example" }), OTHER_ISSUER],
    ["an array of issuers", await provider.sign(ec, { iss: [ISSUER] }), invalid("The token's `iss` is not a string.")],
    ["no mode", signHs256(ownClaims({ livemode: undefined })), missing("livemode")],
    ["a mode that is a string", signHs256(ownClaims({ livemode: "false" })), invalid("The token's `livemode` is neither true nor false.")],
    ["no customer", signHs256(ownClaims({ sub: undefined })), NO_CUSTOMER],
    ["an array of customers", signHs256(ownClaims({ sub: ["cus_ada"] })), NO_CUSTOMER],
    ["an object for a customer", await provider.sign(ec, { sub: { id: "cus_ada" } }), NO_CUSTOMER],
    [
      "a line break in the customer's id",
      signHs256(ownClaims({ sub: "cus_ada\r\nx: y" })),
      [403, "customer_missing", "The token's customer is a string with control characters."],
    ],
    ["another customer in the query", good, OTHER_CUSTOMER, `${CHECK}&customer=cus_bob`],
    ["another customer in the query, by the issuer", await provider.sign(ec), OTHER_CUSTOMER, `${CHECK}&customer=cus_bob`],
    [
      "two customers in the query",
      good,
      [400, "parameter_invalid", "Invalid customer: it accepts a single value, not a list or map."],
      `${CHECK}&customer=cus_ada&customer=cus_bob`,
    ],
    ["another customer's list", good, OTHER_CUSTOMER, "/v1/entitlements/active_entitlements?customer=cus_bob"],
    ["another customer's snapshot", good, OTHER_CUSTOMER, "/v1/snapshot?customer=cus_bob"],
    ["another customer's authorization for a proxy", good, OTHER_CUSTOMER, "/v1/authorize?feature=sms&customer=cus_bob"],
    ["a route for server keys", good, [403, "server_key_required", /^This route needs a server key/], "/v1/customer/cus_ada/entitlements"],
    ["a second token in the query", good, [400, "parameter_unknown", "Received unknown parameter: token"], `${CHECK}&token=${good}`],
    ["a token in the query only", null, [401, undefined, /^You did not provide an API key/], `${CHECK}&token=${good}`],
  ];
}
