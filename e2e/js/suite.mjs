// The scenarios of the JavaScript client. Usage: node suite.mjs URL. It prints a line per scenario. What it cannot do itself
// it asks of whoever started it: a line "do: WORDS" on standard output, answered with a line on standard input.
import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { connect, headers, RequestError } from "@nats-io/transport-node";

const url = process.argv[2];
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const patience = 20_000;

async function ask(words) {
  console.log("do: " + words);
  const { value } = await answers.next();
  assert.equal(value, "done", words);
}

const open = (options = {}) =>
  connect({ servers: url, reconnectTimeWait: 20, maxReconnectAttempts: -1, ...options });

// take returns the next n messages of a subscription.
async function take(sub, n) {
  const taken = [];
  if (n === 0) return taken;
  const late = setTimeout(() => sub.unsubscribe(), patience);
  for await (const m of sub) {
    taken.push(m);
    if (taken.length === n) break;
  }
  clearTimeout(late);
  assert.equal(taken.length, n, "messages in time");
  return taken;
}

const text = (n) => String(n);

const scenarios = {
  async "publish and subscribe"() {
    const nc = await open();
    const sub = nc.subscribe("greet");
    nc.publish("greet", "hello");
    const [m] = await take(sub, 1);
    assert.equal(m.string(), "hello");
    assert.equal(m.subject, "greet");
    await nc.close();
  },

  async "wildcards"() {
    const nc = await open();
    for (const [pattern, want] of [["a.*", ["a.b"]], ["a.>", ["a.b", "a.b.c"]], [">", ["a.b", "a.b.c", "x"]], ["*", ["x"]]]) {
      const sub = nc.subscribe(pattern);
      for (const subject of ["a.b", "a.b.c", "x"]) nc.publish(subject);
      const got = (await take(sub, want.length)).map((m) => m.subject);
      assert.deepEqual(got, want, pattern);
    }
    await nc.close();
  },

  async "queue groups"() {
    const n = 1000, members = await Promise.all([open(), open(), open()]);
    const seen = new Array(n).fill(0), counts = [0, 0, 0];
    let done;
    const all = new Promise((resolve) => (done = resolve));
    let total = 0;
    for (const [i, nc] of members.entries()) {
      nc.subscribe("work", {
        queue: "workers",
        callback: (_, m) => { seen[Number(m.string())]++; counts[i]++; if (++total === n) done(); },
      });
      await nc.flush();
    }
    const nc = await open();
    for (let i = 0; i < n; i++) nc.publish("work", text(i));
    await all;
    assert.ok(seen.every((k) => k === 1), "each message once");
    assert.ok(counts.every((k) => k > 0), "everybody works: " + counts);
    for (const c of [nc, ...members]) await c.close();
  },

  async "request and reply"() {
    const server = await open(), client = await open();
    server.subscribe("double", { callback: (_, m) => m.respond(m.string() + m.string()) });
    await server.flush();
    for (let i = 0; i < 50; i++) {
      const m = await client.request("double", text(i), { timeout: patience });
      assert.equal(m.string(), text(i) + text(i));
    }
    await server.close();
    await client.close();
  },

  async "headers"() {
    const nc = await open();
    const sub = nc.subscribe("h");
    const h = headers();
    h.append("Many", "one");
    h.append("Many", "two");
    h.set("case-Kept", "value");
    nc.publish("h", "body", { headers: h });
    const [m] = await take(sub, 1);
    assert.deepEqual(m.headers.values("Many"), ["one", "two"]);
    assert.equal(m.headers.get("case-Kept"), "value");
    assert.equal(m.string(), "body");
    await nc.close();
  },

  async "no responders"() {
    const nc = await open();
    const err = await nc.request("nobody", "", { timeout: patience }).then(() => null, (e) => e);
    assert.ok(err instanceof RequestError && err.isNoResponders(), String(err));
    await nc.close();
  },

  async "drain loses nothing"() {
    const n = 5000, publisher = await open(), subscriber = await open();
    let got = 0;
    subscriber.subscribe("d", { callback: () => got++ });
    await subscriber.flush();
    for (let i = 0; i < n; i++) publisher.publish("d", "x");
    await publisher.flush();
    await subscriber.drain();
    assert.equal(got, n);
    await publisher.close();
  },

  async "reconnect after a restart"() {
    const nc = await open();
    const sub = nc.subscribe("r");
    await nc.flush();
    const back = (async () => { for await (const s of nc.status()) if (s.type === "reconnect") return; })();
    await ask("restart");
    await back;
    await nc.flush();
    nc.publish("r", "still here");
    assert.equal((await take(sub, 1))[0].string(), "still here");
    await nc.close();
  },

  async "max payload"() {
    const nc = await open();
    assert.equal(nc.info.max_payload, 1048576);
    const sub = nc.subscribe("big");
    const payload = Buffer.alloc(1048576, "0123456789abcdef");
    for (let i = 0; i < 10; i++) nc.publish("big", payload);
    for (const m of await take(sub, 10)) assert.ok(payload.equals(m.data), "1 MiB unharmed");
    assert.throws(() => nc.publish("big", Buffer.alloc(1048577)), (e) => /MAX_PAYLOAD|max_payload/i.test(e.name + e.message));
    await nc.close();
  },

  async "slow consumer"() {
    const nc = await open(), publisher = await open();
    await ask("stuck flood");
    const n = 6000, payload = Buffer.alloc(16384);
    let got = 0, done;
    const all = new Promise((resolve) => (done = resolve));
    nc.subscribe("flood", { callback: () => { if (++got === n) done(); } });
    await nc.flush();
    for (let i = 0; i < n; i++) {
      publisher.publish("flood", payload);
      if (i % 100 === 0) await publisher.flush();
    }
    await all;
    await ask("cut");
    await nc.close();
    await publisher.close();
  },

  async "order of 20 publishers"() {
    const publishers = 20, n = 10_000;
    const nc = await open();
    const last = new Array(publishers).fill(-1);
    let total = 0, done;
    const all = new Promise((resolve) => (done = resolve));
    nc.subscribe("order.*", {
      callback: (err, m) => {
        const [p, k] = m.string().split(" ").map(Number);
        assert.equal(k, last[p] + 1, "order of publisher " + p);
        last[p] = k;
        if (++total === publishers * n) done();
      },
    });
    await nc.flush();
    const clients = await Promise.all(Array.from({ length: publishers }, () => open()));
    await Promise.all(clients.map(async (c, p) => {
      for (let k = 0; k < n; k++) {
        c.publish("order." + p, p + " " + k);
        if (k % 500 === 0) await c.flush();
      }
      await c.flush();
    }));
    await all;
    for (const c of [nc, ...clients]) await c.close();
  },
};

for (const [name, scenario] of Object.entries(scenarios)) {
  await scenario();
  console.log("ok: " + name);
}
console.log("end: " + Object.keys(scenarios).length);
process.exit(0);
