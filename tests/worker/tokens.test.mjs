// Customers' tokens in workerd: real keys of each kind, everything that is tried with forged ones, and an issuer that fails.

import assert from "node:assert/strict";
import { createHmac, createPublicKey, sign as signature } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { SignJWT } from "jose";
import { createKeyPair, ISSUER, startIdentityProvider } from "./identity-provider.mjs";
import { eventually, KEY, serve, summary, unixNow } from "./support.mjs";

const CHECK = "/v1/check?feature=sms";
const SECRET = "secret-of-32-characters-number-1";
const OLD_SECRET = "secret-of-32-characters-number-0";
const SIGNING_KEY =
  '{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}';

const encoded = (part) =>
  Buffer.from(typeof part === "string" || Buffer.isBuffer(part) ? part : JSON.stringify(part)).toString("base64url");
const ours = (more = {}) => ({ sub: "cus_ada", aud: "entgate", iat: unixNow(), exp: unixNow() + 900, livemode: false, ...more });
const theirs = (more = {}) => ({ iss: ISSUER, sub: "cus_ada", iat: unixNow(), exp: unixNow() + 900, ...more });

/** A token to the letter, signed by HMAC. */
function hs256(claims = ours(), header = { alg: "HS256" }, secret = SECRET) {
  const message = `${encoded(header)}.${encoded(claims)}`;
  return `${message}.${createHmac("sha256", secret).update(message).digest("base64url")}`;
}

/** A token to the letter, signed by a key as Node is told to. */
function by(key, header, claims = theirs(), { hash = "sha256", ...options } = {}) {
  const message = `${encoded(header)}.${encoded(claims)}`;
  return `${message}.${signature(hash, Buffer.from(message), { key, ...options }).toString("base64url")}`;
}

const settings = (provider, more = {}) => ({
  ENTGATE_TOKEN_SECRETS: `${SECRET},${OLD_SECRET}`,
  ENTGATE_SIGNING_KEY: SIGNING_KEY,
  ...provider?.settings,
  ...more,
});

/** What came of a request, in short. */
const told = ({ status, json }) => (json?.error ? [status, json.error.code, json.error.message] : [status]);
const invalid = (message) => [401, "token_invalid", message];

const UNKNOWN = invalid("the token is signed with a key that is not known here.");
const MISMATCH = invalid("the token's signature does not match.");
const UNSIGNED = invalid("the token is not signed.");
const JSON_ = invalid("the token is malformed: a part of it is no JSON.");
const PARTS = invalid("the token is malformed: it is not three parts with dots between them.");
const BASE64 = invalid("the token is malformed: a part of it is no base64url without padding.");
const TEXTS = invalid("the token is malformed: `alg`, `kid` and `typ` have to be texts.");
const AUDIENCE = invalid("the token is for another audience.");
const OTHER = [403, "customer_mismatch", "The token is another customer's. Leave the customer out: the token names it."];
const algorithm = (name) => invalid(`the token is signed with \`${name}\`, and only HS256, RS256, ES256 and EdDSA are taken.`);

describe("tokens", { timeout: 120_000 }, () => {
  let provider;
  let service;
  let rsa;
  let ec;
  let ed;
  before(async () => {
    [rsa, ec, ed] = await Promise.all([createKeyPair("RS256", "rsa"), createKeyPair("ES256", "ec"), createKeyPair("EdDSA", "ed")]);
    provider = await startIdentityProvider(rsa, ec, ed);
    service = await serve({ settings: settings(provider) });
    for (const [customer, more] of [
      ["cus_ada", {}],
      ["cus_bob", {}],
    ])
      assert.equal((await service.send(summary(customer, ["sms"], more))).status, 200);
  });
  after(async () => {
    await service.stop();
    await provider.stop();
  });

  const ask = (key, path = CHECK) => service.request(path, { key });

  test("a token of each algorithm opens its customer, as do ours, made here or by a library", async () => {
    for (const pair of [rsa, ec, ed]) {
      for (const header of [{}, { kid: undefined }, { typ: "JWT" }, { typ: "at+jwt" }]) {
        const { status, json } = await ask(await provider.sign(pair, {}, header));
        assert.deepEqual([status, json.customer, json.entitled], [200, "cus_ada", true], `${pair.algorithm} ${JSON.stringify(header)}`);
      }
    }
    for (const secret of [SECRET, OLD_SECRET]) {
      const token = await new SignJWT(ours()).setProtectedHeader({ alg: "HS256" }).sign(Buffer.from(secret));
      assert.equal((await ask(token)).json.entitled, true);
    }
    const made = await service.request("/v1/tokens", { method: "POST", body: new URLSearchParams({ customer: "cus_bob" }) });
    assert.deepEqual([made.status, made.json.object, made.json.customer, made.json.livemode], [200, "customer_token", "cus_bob", false]);
    assert.ok(Math.abs(made.json.expires_at - unixNow() - 900) <= 5);
    const bobs = await ask(made.json.token);
    assert.deepEqual([bobs.json.customer, bobs.json.entitled], ["cus_bob", true]);
  });

  test("what is tried with forged, confused, old and broken tokens comes to nothing, each for its own reason", async () => {
    const now = unixNow();
    const good = hs256();
    const [header, claims, mac] = good.split(".");
    const pem = createPublicKey({ key: rsa.jwk, format: "jwk" }).export({ type: "spki", format: "pem" });
    const der = createPublicKey({ key: rsa.jwk, format: "jwk" }).export({ type: "spki", format: "der" });
    const stranger = await createKeyPair("ES256", "ec");
    const curve = await createKeyPair("ES384", "ec");
    const genuine = await provider.sign(ec);
    const [, , r_s] = genuine.split(".");
    const snapshot = (await service.request("/v1/snapshot?customer=cus_ada")).json.snapshot;
    const elsewhere = provider.url.replace("jwks", "stranger");
    const at = (alg, more = {}) => ({ alg, kid: { RS256: "rsa", ES256: "ec", EdDSA: "ed" }[alg], ...more });
    const message = `${encoded(at("ES256"))}.${encoded(theirs())}`;
    const asIs = (bytes) => `${message}.${Buffer.from(bytes).toString("base64url")}`;
    const order = Buffer.from("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", "hex");

    const rows = [
      // Confused: one thing taken for another.
      ["HS256, with the RSA key as PEM for a secret", hs256(theirs(), at("HS256"), pem), MISMATCH],
      ["the same, by the RSA key's name", hs256(theirs(), { alg: "HS256", kid: "rsa" }, pem), UNKNOWN],
      ["HS256, with the RSA key as DER", hs256(ours(), { alg: "HS256" }, der), MISMATCH],
      ["HS256, with the RSA key as JWK", hs256(ours(), { alg: "HS256" }, JSON.stringify(rsa.jwk)), MISMATCH],
      ["HS256, with the RSA key's modulus", hs256(ours(), { alg: "HS256" }, rsa.jwk.n), MISMATCH],
      ["HS256, with the modulus in bytes", hs256(ours(), { alg: "HS256" }, Buffer.from(rsa.jwk.n, "base64url")), MISMATCH],
      ["HS256, with the point of the EC key", hs256(ours(), { alg: "HS256" }, ec.jwk.x), MISMATCH],
      ["HS256, with the Ed25519 key", hs256(ours(), { alg: "HS256" }, Buffer.from(ed.jwk.x, "base64url")), MISMATCH],
      ["HS256, with an empty secret", hs256(ours(), { alg: "HS256" }, ""), MISMATCH],
      ["HS256, with the server key", hs256(ours(), { alg: "HS256" }, KEY), MISMATCH],
      ["HS256, with both secrets as they are set", hs256(ours(), { alg: "HS256" }, `${SECRET},${OLD_SECRET}`), MISMATCH],
      ["RS256 by the EC key's name", by(rsa.privateKey, { alg: "RS256", kid: "ec" }), UNKNOWN],
      ["ES256 by the RSA key's name", by(ec.privateKey, { alg: "ES256", kid: "rsa" }, theirs(), { dsaEncoding: "ieee-p1363" }), UNKNOWN],
      ["EdDSA by the EC key's name", by(ed.privateKey, { alg: "EdDSA", kid: "ec" }, theirs(), { hash: null }), UNKNOWN],
      ["RS256, and the signature is the EC key's", by(ec.privateKey, at("RS256")), MISMATCH],
      ["EdDSA, and the signature is the EC key's", by(ec.privateKey, at("EdDSA"), theirs(), { dsaEncoding: "ieee-p1363" }), MISMATCH],
      ["RS256, and the padding is that of PS256", by(rsa.privateKey, at("RS256"), theirs(), { padding: 6, saltLength: 32 }), MISMATCH],
      ["RS256, over another hash", by(rsa.privateKey, at("RS256"), theirs(), { hash: "sha512" }), MISMATCH],
      ["PS256", by(rsa.privateKey, { alg: "PS256", kid: "rsa" }, theirs(), { padding: 6, saltLength: 32 }), algorithm("PS256")],
      ["ES384", await provider.sign(curve), algorithm("ES384")],
      ["the issuer's words by our secret", hs256(theirs()), invalid("the token lacks `aud`.")],
      [
        "our words by the issuer's key",
        await provider.sign(ec, { iss: undefined, aud: "entgate", livemode: true }),
        invalid("the token lacks `iss`."),
      ],
      ["a snapshot", snapshot, invalid("the token is of the type `entitlements+jwt`, which opens nothing.")],
      ["a snapshot under another type", [encoded({ alg: "EdDSA" }), ...snapshot.split(".").slice(1)].join("."), MISMATCH],
      ["a token for a stream", hs256(ours({ aud: "entgate:stream" })), AUDIENCE],
      [
        "a logout token",
        await provider.sign(ec, {}, { typ: "logout+jwt" }),
        invalid("the token is of the type `logout+jwt`, which opens nothing."),
      ],

      // Forged.
      ["a stranger's key by the name of the issuer's", await provider.sign(stranger), MISMATCH],
      ["ES256 in DER", by(ec.privateKey, at("ES256"), theirs(), { dsaEncoding: "der" }), MISMATCH],
      ["ES256 of zeros", asIs(new Uint8Array(64)), MISMATCH],
      ["ES256 of the curve's order, twice", asIs([...order, ...order]), MISMATCH],
      ["ES256 with a byte more", asIs([...Buffer.from(r_s, "base64url"), 0]), MISMATCH],
      ["ES256 over another message", asIs(Buffer.from(r_s, "base64url")), MISMATCH],
      ["RS256 of zeros", `${encoded(at("RS256"))}.${encoded(theirs())}.${encoded("\0".repeat(256))}`, MISMATCH],
      ["EdDSA of zeros", `${encoded(at("EdDSA"))}.${encoded(theirs())}.${encoded("\0".repeat(64))}`, MISMATCH],
      ["other words under a genuine signature", `${header}.${encoded(ours({ sub: "cus_bob" }))}.${mac}`, MISMATCH],
      ["another header over them", `${encoded({ alg: "HS256", typ: "JWT" })}.${claims}.${mac}`, MISMATCH],
      ["half a signature", `${header}.${claims}.${Buffer.from(mac, "base64url").subarray(0, 16).toString("base64url")}`, MISMATCH],
      ["an empty signature", `${header}.${claims}.`, MISMATCH],
      ["an empty signature by RS256", `${encoded(at("RS256"))}.${encoded(theirs())}.`, MISMATCH],
      ["a key that it brings along", await provider.sign(stranger, {}, { kid: undefined, jwk: stranger.jwk }), MISMATCH],
      ["a place for keys that it brings along", await provider.sign(stranger, {}, { kid: "new", jku: elsewhere }), UNKNOWN],
      ["a place for certificates that it brings along", await provider.sign(stranger, {}, { kid: "new", x5u: elsewhere }), UNKNOWN],
      ["certificates that it brings along", await provider.sign(stranger, {}, { kid: "new", x5c: ["MIIB"] }), UNKNOWN],
      ["a name that is a file", hs256(ours(), { alg: "HS256", kid: "../../../../dev/null" }, ""), UNKNOWN],
      ["a name that is a query", hs256(ours(), { alg: "HS256", kid: "x' UNION SELECT 'a" }, "a"), UNKNOWN],
      ["a name that is a place", hs256(ours(), { alg: "HS256", kid: elsewhere }), UNKNOWN],
      ["a name with a NUL", await provider.sign(ec, {}, { kid: "ec\0" }), UNKNOWN],
      ["a name in another case", await provider.sign(ec, {}, { kid: "EC" }), UNKNOWN],
      ["a name of another kind", hs256(ours(), { alg: "HS256", kid: 0 }), TEXTS],
      ["a name from the prototype", await provider.sign(ec, {}, { kid: "__proto__" }), UNKNOWN],

      // Not signed.
      ...["none", "None", "NONE", "nOnE"].map((none) => [`\`${none}\``, `${encoded({ alg: none })}.${claims}.`, UNSIGNED]),
      ["`none` with a signature", hs256(ours(), { alg: "none" }), UNSIGNED],
      ["`none`, escaped", `${encoded('{"alg":"\\u006eone"}')}.${claims}.`, UNSIGNED],
      ["`none` with a space", `${encoded({ alg: "none " })}.${claims}.`, algorithm("none ")],
      ["no name for it", `${encoded({ alg: "" })}.${claims}.`, algorithm("")],
      ["`hs256`", hs256(ours(), { alg: "hs256" }), algorithm("hs256")],
      ["`Rs256`", by(rsa.privateKey, { alg: "Rs256", kid: "rsa" }), algorithm("Rs256")],
      ["`EDDSA`", by(ed.privateKey, { alg: "EDDSA", kid: "ed" }, theirs(), { hash: null }), algorithm("EDDSA")],
      ["a letter that looks like it", hs256(ours(), { alg: "НS256" }), algorithm("НS256")],
      ["several", hs256(ours(), { alg: ["HS256"] }), TEXTS],
      ["an object", hs256(ours(), { alg: { name: "HS256" } }), TEXTS],
      ["none at all", hs256(ours(), { typ: "JWT" }), invalid("the token is malformed: it lacks `alg`.")],

      // Twice, or to be understood.
      ["two algorithms", `${encoded('{"alg":"HS256","alg":"none"}')}.${claims}.${mac}`, invalid("the token says `alg` twice.")],
      [
        "two algorithms, one of them escaped",
        `${encoded('{"alg":"HS256","\\u0061lg":"none"}')}.${claims}.${mac}`,
        invalid("the token says `alg` twice."),
      ],
      ["two names", hs256(ours(), '{"alg":"HS256","kid":"a","kid":"b"}'), invalid("the token says `kid` twice.")],
      ["two customers", hs256(JSON.stringify(ours()).replace("{", '{"sub":"cus_bob",')), invalid("the token says `sub` twice.")],
      [
        "two customers by the issuer",
        by(ec.privateKey, at("ES256"), JSON.stringify(theirs()).replace("{", '{"sub":"cus_bob",'), { dsaEncoding: "ieee-p1363" }),
        invalid("the token says `sub` twice."),
      ],
      ["two ends", hs256(JSON.stringify(ours()).replace("}", `,"exp":${now + 9}}`)), invalid("the token says `exp` twice.")],
      [
        "something twice, further down",
        hs256(JSON.stringify(ours()).replace("{", '{"act":{"sub":"a","sub":"b"},')),
        invalid("the token says `sub` twice."),
      ],
      [
        "something twice in the header, further down",
        hs256(ours(), '{"alg":"HS256","a":[{"b":1,"b":1}]}'),
        invalid("the token says `b` twice."),
      ],
      [
        "something that has to be understood",
        hs256(ours(), { alg: "HS256", crit: ["b64"], b64: false }),
        invalid("the token wants something understood that is not: `crit`."),
      ],

      // Broken.
      ["two parts", `${header}.${claims}`, PARTS],
      ["a header", header, PARTS],
      ["four parts", `${good}.${mac}`, PARTS],
      ["five parts, as if encrypted", `${encoded({ alg: "dir", enc: "A256GCM" })}..a.b.c`, PARTS],
      ["the header without its last letter", `${header.slice(0, -1)}.${claims}.${mac}`, BASE64],
      ["the header without its last letters", `${header.slice(0, -4)}.${claims}.${mac}`, JSON_],
      ["the words without their last letters", `${header}.${claims.slice(0, -3)}.${mac}`, MISMATCH],
      ["a signature of one letter", `${header}.${claims}.${mac[0]}`, BASE64],
      ["no header", `.${claims}.${mac}`, JSON_],
      ["nothing but dots", "..", JSON_],
      ["padding", `${good}=`, BASE64],
      ["the standard alphabet", `${header}.${claims}.+/${mac.slice(2)}`, BASE64],
      [
        "bits left over that are not zero",
        `${good.slice(0, -1)}${{ A: "B", E: "F", I: "J", M: "N", Q: "R", U: "V", Y: "Z", c: "d", g: "h", k: "l", o: "p", s: "t", w: "x", 0: "1", 4: "5", 8: "9" }[good.at(-1)]}`,
        BASE64,
      ],
      ["a space within", `${header} .${claims}.${mac}`, BASE64],
      ["a comma behind", `${good},`, BASE64],
      ["8,193 bytes", good.padEnd(8_193, "A"), invalid("the token is longer than 8192 bytes.")],
      ["a header that is no JSON", hs256(ours(), "alg=HS256"), JSON_],
      ["a header that is a text", hs256(ours(), '"HS256"'), invalid("the token is malformed: a part of it is no JSON object.")],
      ["words that are no UTF-8", hs256(Buffer.from('{"sub":"\xff"}', "latin1")), JSON_],
      ["words that are a list", hs256("[]"), invalid("the token is malformed: a part of it is no JSON object.")],
      ["words without an end", hs256('{"sub":"cus_ada"'), JSON_],
      ["very deep words", hs256(`{"a":${"[".repeat(2_000)}${"]".repeat(2_000)}}`), JSON_],
      ["a very deep header", hs256(ours(), `{"alg":"HS256","a":${'{"a":'.repeat(500)}1${"}".repeat(500)}}`), JSON_],

      // Out of time.
      [
        "over",
        hs256(ours({ exp: now - 3_600 })),
        [401, "token_expired", new RegExp(`^the token expired at ${now - 3_600}, and it is \\d+\\.$`)],
      ],
      [
        "over, by the issuer",
        await provider.sign(rsa, { exp: now - 3_600 }),
        [401, "token_expired", new RegExp(`^the token expired at ${now - 3_600}, and it is \\d+\\.$`)],
      ],
      ["never over", hs256(ours({ exp: undefined })), invalid("the token lacks `exp`.")],
      ["over in a word", hs256(ours({ exp: String(now + 900) })), invalid("the token's `exp` is no moment in Unix seconds.")],
      ["over before all time", hs256(ours({ exp: -1 })), [401, "token_expired", /^the token expired at -1, and it is \d+\.$/]],
      ["over in a part of a second", hs256(ours({ exp: 0.5 })), [401, "token_expired", /^the token expired at 0, and it is \d+\.$/]],
      ["over beyond all numbers", hs256(JSON.stringify(ours()).replace(/"exp":\d+/, '"exp":1e400')), JSON_],
      ["no end", hs256(ours({ exp: null })), invalid("the token's `exp` is no moment in Unix seconds.")],
      [
        "in milliseconds, from when on",
        hs256(ours({ nbf: now * 1_000 })),
        invalid(new RegExp(`^the token is not valid before ${now}000, and it is \\d+\\.$`)),
      ],
      [
        "from later on",
        hs256(ours({ nbf: now + 3_600 })),
        invalid(new RegExp(`^the token is not valid before ${now + 3_600}, and it is \\d+\\.$`)),
      ],
      [
        "made later",
        await provider.sign(ed, { iat: now + 3_600 }),
        invalid(new RegExp(`^the token is not valid before ${now + 3_600}, and it is \\d+\\.$`)),
      ],

      // Somebody else's.
      ["another audience", hs256(ours({ aud: "other" })), AUDIENCE],
      ["an audience where none is wanted", await provider.sign(ec, { aud: "other" }), AUDIENCE],
      ["no audience", hs256(ours({ aud: undefined })), invalid("the token lacks `aud`.")],
      ["another issuer", await provider.sign(ec, { iss: "https://other.example" }), invalid("the token is of another issuer.")],
      ["an issuer in a list", await provider.sign(ec, { iss: [ISSUER] }), invalid("the token's `iss` is no text.")],
      ["no mode", hs256(ours({ livemode: undefined })), invalid("the token lacks `livemode`.")],
      ["a mode in words", hs256(ours({ livemode: "false" })), invalid("the token's `livemode` is neither true nor false.")],
      ["nobody", hs256(ours({ sub: undefined })), [403, "customer_missing", "the token names no customer in `sub`."]],
      ["somebody in a list", hs256(ours({ sub: ["cus_ada"] })), [403, "customer_missing", "the token names no customer in `sub`."]],
      [
        "somebody in an object",
        await provider.sign(ec, { sub: { id: "cus_ada" } }),
        [403, "customer_missing", "the token names no customer in `sub`."],
      ],
      [
        "a line break in the name",
        hs256(ours({ sub: "cus_ada\r\nx: y" })),
        [403, "customer_missing", "the token's customer is a text with control characters."],
      ],
      ["another customer", good, OTHER, `${CHECK}&customer=cus_bob`],
      ["another customer, by the issuer", genuine, OTHER, `${CHECK}&customer=cus_bob`],
      [
        "two customers in the query",
        good,
        [400, "parameter_invalid", "Invalid customer: it takes a single value, not a list or map."],
        `${CHECK}&customer=cus_ada&customer=cus_bob`,
      ],
      ["another one's list", good, OTHER, "/v1/entitlements/active_entitlements?customer=cus_bob"],
      ["another one's snapshot", good, OTHER, "/v1/snapshot?customer=cus_bob"],
      ["another one for a proxy", good, OTHER, "/v1/authorize?feature=sms&customer=cus_bob"],
      ["the operator's list", good, [403, "server_key_required", /^This route needs a server key/], "/v1/customer/cus_ada/entitlements"],
      ["a token in the URL as well", good, [400, "parameter_unknown", "Received unknown parameter: token"], `${CHECK}&token=${good}`],
      ["a token in the URL alone", null, [401, undefined, /^You did not provide an API key/], `${CHECK}&token=${good}`],
    ];
    assert.ok(rows.length >= 40);
    assert.equal(new Set(rows.map(([why]) => why)).size, rows.length);
    for (const [why, token, expected, path] of rows) {
      const answer = await ask(token, path);
      const [status, code, message] = told(answer);
      const [, , wanted] = expected;
      assert.deepEqual([status, code], expected.slice(0, 2), `${why}: ${answer.text}`);
      if (wanted instanceof RegExp) assert.match(message, wanted, why);
      else assert.equal(message, wanted, why);
      const challenge = { 401: 'Bearer realm="entgate", error="invalid_token"' }[status] ?? null;
      if (token) assert.equal(answer.headers.get("www-authenticate"), challenge, why);
    }
    assert.deepEqual(
      provider.requestedPaths.filter((path) => path !== "/jwks.json"),
      [],
      "nobody is asked whom a token names",
    );
    // So the table has not broken what is good.
    assert.equal((await ask(good)).json.entitled, true);
  });

  test("what is written in another way and says the same is taken", async () => {
    for (const [why, token] of [
      ["an escaped name", hs256(ours(), '{"\\u0061lg":"\\u0048S256"}')],
      ["white space", hs256(JSON.stringify(ours(), null, 2), '{\r\n "alg" : "HS256" }')],
      ["what needs not be understood", hs256(ours(), { alg: "HS256", zip: "none", x5t: "a", jwk: rsa.jwk })],
      ["8,192 bytes", longest()],
    ]) {
      assert.deepEqual(told(await ask(token)), [200], why);
    }
    function longest() {
      for (let pad = 5_900; ; pad += 1) {
        const token = hs256(ours({ pad: "x".repeat(pad) }));
        if (token.length === 8_192) return token;
      }
    }
  });

  test("the mode is the token's own", async () => {
    for (const [livemode, reason] of [
      [false, "active_entitlement"],
      [true, "unknown_customer"],
    ]) {
      assert.equal((await ask(hs256(ours({ livemode })))).json.reason, reason);
    }
    const claimed = await ask(await provider.sign(ec, { livemode: true }));
    assert.equal(claimed.json.reason, "active_entitlement", "an issuer's customers have the mode that is set");
  });

  test("the issuer was asked once for all of this", () => {
    assert.deepEqual(provider.requestedPaths, ["/jwks.json"]);
    assert.equal(provider.lastRequest.headers.accept, "application/json");
    assert.match(provider.lastRequest.headers["user-agent"], /^entgate\//);
    assert.equal(provider.lastRequest.headers.authorization, undefined);
  });
});

describe("an issuer", { timeout: 120_000 }, () => {
  const NOT_KNOWN = [
    503,
    undefined,
    "The keys of the token's issuer cannot be read at the moment, so that the token cannot be checked. Try again.",
  ];

  test("which takes other keys is asked again, and at most once a minute", async (t) => {
    const [first, second] = await Promise.all([createKeyPair("ES256", "first"), createKeyPair("EdDSA", "second")]);
    const provider = await startIdentityProvider(first);
    const service = await serve({ settings: settings(provider), clock: true });
    t.after(() => Promise.all([service.stop(), provider.stop()]));
    const ask = async (pair) => told(await service.request(CHECK, { key: await provider.sign(pair) }));

    assert.deepEqual(await ask(first), [200]);
    provider.publish(second, first);
    for (let n = 0; n < 5; n += 1) assert.deepEqual(await ask(second), UNKNOWN);
    for (let n = 0; n < 5; n += 1) assert.deepEqual(await ask({ ...second, kid: `made up ${n}` }), UNKNOWN);
    assert.equal(provider.requestedPaths.length, 1);

    await service.setClockOffset(65);
    assert.deepEqual(await ask(second), [200]);
    assert.deepEqual(await ask(first), [200]);
    for (let n = 0; n < 5; n += 1) assert.deepEqual(await ask({ ...second, kid: `made up ${n}` }), UNKNOWN);
    assert.equal(provider.requestedPaths.length, 2);

    provider.publish(second);
    await service.setClockOffset(130);
    assert.deepEqual(await ask(first), [200], "a key that is withdrawn is taken until the next reading");
    await service.setClockOffset(70 + 600);
    assert.deepEqual(await ask(first), UNKNOWN);
    assert.deepEqual(await ask(second), [200]);
    assert.equal(provider.requestedPaths.length, 3);
  });

  test("which is down leaves what it has said before, for as long as it is", async (t) => {
    const [first, second] = await Promise.all([createKeyPair("RS256", "first"), createKeyPair("ES256", "second")]);
    const provider = await startIdentityProvider(first);
    const log = [];
    const service = await serve({ settings: settings(provider), clock: true, log });
    t.after(() => Promise.all([service.stop(), provider.stop()]));
    const ask = async (pair) => told(await service.request(CHECK, { key: await provider.sign(pair, { exp: unixNow() + 90_000 }) }));
    assert.deepEqual(await ask(first), [200]);
    provider.respondWith("down", 503);
    for (const [ahead, asked] of [
      [570, 1],
      [610, 2],
      [640, 2],
      [680, 3],
      [7_200, 4],
    ]) {
      await service.setClockOffset(ahead);
      assert.deepEqual(await ask(first), [200], `${ahead} s later`);
      assert.equal(provider.requestedPaths.length, asked, `${ahead} s later`);
    }
    assert.deepEqual(await ask(second), NOT_KNOWN, "whether it has taken another key cannot be told");
    provider.publish(second);
    await service.setClockOffset(7_262);
    assert.deepEqual(await ask(second), [200]);
    assert.deepEqual(await ask(first), UNKNOWN);
    await eventually(() =>
      assert.ok(log.some((line) => line.includes("the issuer's keys could not be read: the issuer is out of reach: it answered 503"))),
    );
  });

  test("of whom nothing is known yet, and who fails, is neither a yes nor a no", async (t) => {
    const pair = await createKeyPair("ES256", "one");
    const provider = await startIdentityProvider(pair);
    const log = [];
    const service = await serve({ settings: settings(provider), clock: true, log });
    t.after(() => Promise.all([service.stop(), provider.stop()]));
    const token = await provider.sign(pair, { exp: unixNow() + 90_000 });
    const keys = JSON.stringify({ keys: [pair.jwk] });
    const stalled = (response) => response.writeHead(200, { "content-type": "application/json" }).write("{");
    let ahead = 0;
    for (const [why, answer, cause] of [
      ["it is down", (response) => response.writeHead(500).end(), "it answered 500"],
      ["it hangs up", (response) => response.destroy(), ""],
      ["it sends elsewhere", (response) => response.writeHead(302, { location: "/elsewhere.json" }).end(keys), "it answered 302"],
      ["it says nothing", (response) => response.writeHead(204).end(), "it answered 204"],
      ["it answers a page", (response) => response.writeHead(200).end("<html>"), "it is no JSON"],
      ["it answers no set", (response) => response.writeHead(200).end("[]"), "it is no JWK Set: it lacks `keys`"],
      [
        "it has no key that is taken",
        (response) => response.writeHead(200).end('{"keys":[{"kty":"oct","k":"AAAA"}]}'),
        "it has no key for RS256, ES256 or EdDSA",
      ],
      ["it answers without end", (response) => response.writeHead(200).end(`${keys}${" ".repeat(256 << 10)}`), "it answered too much"],
      ["it does not answer", () => {}, ""],
      ["it begins to answer", stalled, ""],
    ]) {
      provider.respond = answer;
      ahead += 11;
      await service.setClockOffset(ahead);
      const asked = provider.requestedPaths.length;
      const first = await service.request(CHECK, { key: token });
      assert.deepEqual(told(first), NOT_KNOWN, why);
      assert.equal(first.headers.get("retry-after"), "1", why);
      assert.deepEqual(told(await service.request(CHECK, { key: token })), NOT_KNOWN, why);
      assert.equal(provider.requestedPaths.length, asked + 1, `${why}: then it is left alone`);
      await eventually(() =>
        assert.ok(
          log.some((line) => line.includes("the issuer's keys could not be read") && line.includes(cause)),
          `${why}: ${log}`,
        ),
      );
      // Who has a token of ours does not need the issuer, nor does a server key.
      assert.deepEqual(told(await service.request(CHECK, { key: hs256() })), [200], why);
    }
    assert.ok(!provider.requestedPaths.includes("/elsewhere.json"));
    provider.respondWith(`${keys}${" ".repeat((256 << 10) - keys.length)}`);
    await service.setClockOffset(ahead + 11);
    assert.deepEqual(told(await service.request(CHECK, { key: token })), [200], "256 KiB are read");
  });

  test("is heard by the others although who asked it has hung up", async (t) => {
    const [first, second] = await Promise.all([createKeyPair("ES256", "first"), createKeyPair("EdDSA", "second")]);
    const provider = await startIdentityProvider(first);
    const service = await serve({ settings: settings(provider), clock: true });
    t.after(() => Promise.all([service.stop(), provider.stop()]));
    const ask = async (pair) => told(await service.request(CHECK, { key: await provider.sign(pair) }));
    assert.deepEqual(await ask(first), [200]);

    provider.respond = () => {};
    await service.setClockOffset(65);
    const leaving = new AbortController();
    const headers = { authorization: `Bearer ${await provider.sign(second)}` };
    const left = assert.rejects(fetch(new URL(CHECK, service.url), { headers, signal: leaving.signal }), { name: "AbortError" });
    await eventually(() => assert.equal(provider.requestedPaths.length, 2));
    leaving.abort();
    await left;
    provider.publish(second);
    assert.deepEqual(await ask(second), NOT_KNOWN, "the answer may still come");
    assert.deepEqual(await ask(first), [200]);
    await service.setClockOffset(130);
    assert.deepEqual(await ask(second), [200]);
    assert.equal(provider.requestedPaths.length, 3);
  });

  test("whose keys are of no use has signed nothing", async (t) => {
    const [pair, other] = await Promise.all([createKeyPair("ES256", "one"), createKeyPair("ES256", "two")]);
    // A point that is not on the curve, and a modulus that is even.
    const broken = { ...pair.jwk, kid: undefined, y: other.jwk.y };
    const provider = await startIdentityProvider({ jwk: broken }, pair);
    const log = [];
    const service = await serve({ settings: settings(provider), log });
    t.after(() => Promise.all([service.stop(), provider.stop()]));
    assert.deepEqual(told(await service.request(CHECK, { key: await provider.sign(pair) })), [200]);
    assert.deepEqual(told(await service.request(CHECK, { key: await provider.sign(other, {}, { kid: "one" }) })), MISMATCH);
    await eventually(() => assert.ok(log.some((line) => line.includes("a key of the issuer cannot be used"))));
  });
});

test("what is set wrongly stops everything and is named", { timeout: 60_000 }, async () => {
  for (const [name, value, message] of [
    ["ENTGATE_TOKEN_SECRETS", "short", "has a secret of fewer than 32 characters: make one with `openssl rand -hex 32`"],
    ["ENTGATE_JWKS_URL", "http://login.example/jwks.json", "is neither https://… nor http:// of this machine"],
    ["ENTGATE_ALLOWED_ORIGINS", "https://app.example/", "has an item that is no origin as browsers write it: https://app.example.com"],
  ]) {
    const service = await serve({ settings: { [name]: value }, log: [] });
    const { status, json } = await service.request(CHECK);
    await service.stop();
    assert.deepEqual([status, json.error.message], [500, `The deployment is misconfigured: ${name} ${message}.`]);
  }
});
