// Credentials, permissions and TLS with the JavaScript client. Servers and files come from the environment.
import assert from "node:assert/strict";
import { connect, nkeyAuthenticator, PermissionViolationError } from "@nats-io/transport-node";

const { USERS, TOKEN, TLS, MUTUAL, SEED, TLSCA, CA, CERT, KEY, BADCERT, BADKEY } = process.env;
const once = (servers, options = {}) => connect({ servers, reconnect: false, timeout: 20_000, ...options });

async function works(what, servers, options) {
  const nc = await once(servers, options);
  await nc.flush();
  await nc.close();
  console.log("in: " + what);
}

async function refused(what, servers, options, pattern = /authorization violation/i) {
  let nc;
  try {
    nc = await once(servers, options);
    await nc.flush();
  } catch (err) {
    assert.match(String(err) + String(err.cause ?? ""), pattern, what);
    console.log("refused: " + what);
    return;
  }
  await nc.close();
  assert.fail(what + " is let in");
}

const bob = { user: "bob", pass: "s3cret" };
const seed = (text) => ({ authenticator: nkeyAuthenticator(new TextEncoder().encode(text)) });

await works("user", USERS, bob);
await works("user, hash", USERS, { user: "hash", pass: "T0pS3cr3t" });
await works("key", USERS, seed(SEED));
await works("token", TOKEN, { token: "t0ken" });
await refused("wrong password", USERS, { user: "bob", pass: "x" });
await refused("unknown user", USERS, { user: "eve", pass: "s3cret" });
await refused("nothing", USERS, {});
await refused("wrong token", TOKEN, { token: "x" });
await works("TLS", TLS, { tls: { caFile: TLSCA } });
await refused("TLS of an unknown authority", TLS, { tls: { caFile: CA } }, /./);
await works("TLS both ways", MUTUAL, { ...bob, tls: { caFile: CA, certFile: CERT, keyFile: KEY } });
await refused("TLS without a certificate", MUTUAL, { ...bob, tls: { caFile: CA } }, /./);
await refused("TLS with a strange certificate", MUTUAL, { ...bob, tls: { caFile: CA, certFile: BADCERT, keyFile: BADKEY } }, /./);
await refused("TLS, wrong password", MUTUAL, { user: "bob", pass: "x", tls: { caFile: CA, certFile: CERT, keyFile: KEY } });

// Permissions: the subscription that is not allowed ends with an error, the connection stays.
const nc = await once(USERS, { user: "tight", pass: "s3cret" });
const statuses = (async () => {
  for await (const s of nc.status()) {
    if (s.type === "error" && s.error instanceof PermissionViolationError && s.error.operation === "publish") return s.error;
  }
})();
const told = new Promise((resolve) => nc.subscribe("no", { callback: (err) => resolve(err) }));
const error = await told;
assert.ok(error instanceof PermissionViolationError, String(error));
assert.equal(error.subject, "no");
const queued = await new Promise((resolve) => nc.subscribe("queue", { queue: "play", callback: (err) => resolve(err) }));
assert.equal(queued.queue, "play");
nc.publish("no");
assert.equal((await statuses).subject, "no");
await nc.flush();
await nc.close();
console.log("permissions");
