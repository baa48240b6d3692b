// Looks at the monitoring page of natsd with a real browser.
//
//   node page.mjs NATS_PORT MONITOR_URL CHROMIUM FOLDER [SECONDS]     FOLDER is for screenshots; SECONDS of charts in them
import assert from "node:assert/strict";
import net from "node:net";
import { readFile } from "node:fs/promises";
import { chromium } from "playwright-core";

const [port, monitor, executablePath, folder, seconds = "0"] = process.argv.slice(2);
const crowd = 10000;
const patience = 20000;

// client is a raw connection that answers PINGs.
function client(name, lines = "") {
  return new Promise((resolve, reject) => {
    const socket = net.connect(Number(port), "127.0.0.1");
    socket.on("error", reject);
    let ready = false;
    socket.on("data", (data) => {
      const text = data.toString("latin1");
      if (!ready && text.includes("PONG")) {
        ready = true;
        resolve(socket);
      } else if (text.startsWith("PING")) {
        socket.write("PONG\r\n");
      }
    });
    socket.write(`CONNECT ${JSON.stringify({ verbose: false, pedantic: false, name, lang: "node", version: "1.0" })}\r\n${lines}PING\r\n`);
  });
}

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
const problems = [];

async function open(colorScheme) {
  const context = await browser.newContext({ colorScheme, viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  page.on("console", (m) => { if (m.type() === "error" || m.type() === "warning") problems.push(m.text()); });
  page.on("pageerror", (e) => problems.push(String(e)));
  page.on("request", (r) => { if (!r.url().startsWith(monitor) && !r.url().startsWith("data:")) problems.push("a request to " + r.url()); });
  await page.goto(monitor + "/");
  await page.waitForFunction(() => document.getElementById("status-text").textContent === "ready");
  return page;
}

const axe = await readFile(new URL(import.meta.resolve("axe-core/axe.min.js")), "utf8");

async function accessible(page, what) {
  // The policy of the page lets no script in; the debugger of the browser may.
  const session = await page.context().newCDPSession(page);
  await session.send("Runtime.evaluate", { expression: axe });
  const { result } = await session.send("Runtime.evaluate", { expression: "axe.run().then((r) => JSON.stringify([r.passes.length, r.violations]))", awaitPromise: true, returnByValue: true });
  const [passes, violations] = JSON.parse(result.value);
  assert.ok(passes > 10, `axe has looked at ${what}`);
  const found = violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 120)).join(" | ")}`);
  assert.deepEqual(found, [], `axe about ${what}`);
}

async function picture(page, name) {
  await page.screenshot({ path: `${folder}/${name}.png` });
}

const visit = (page, view) => page.click(`header nav a[href="#${view}"]`);
const rows = (page, table) => page.locator(`#${table} tbody tr`);

// 1. It loads, and updates live.
const subscriber = await client("subscriber", "SUB orders.> 1\r\nSUB audit workers 2\r\n");
const publisher = await client("publisher");
const page = await open("light");
const feed = setInterval(() => publisher.write("PUB orders.new 5\r\nhello\r\n".repeat(40 + Math.round(30 * Math.sin(Date.now() / 4000)))), 50);
await page.waitForFunction(() => parseFloat(document.querySelector("#chart-in p span").textContent) > 0);
await page.waitForFunction(() => document.querySelector("#chart-in polyline").getAttribute("points").split(" ").length > 4);
assert.equal(await page.textContent("#chart-conns p span"), "2");
await accessible(page, "the overview");
await new Promise((resolve) => setTimeout(resolve, 1000 * Number(seconds))); // for the charts
await picture(page, "monitor-overview");

// 2. Connections: sorted, filtered, in detail.
await visit(page, "connections");
await page.waitForFunction(() => document.querySelectorAll("#conn-table tbody tr").length === 2);
await page.click("#conn-table th button:text-is('Msgs from')");
await page.waitForFunction(() => document.querySelector("#conn-table tbody tr td:nth-child(3)").textContent === "publisher");
await page.click("#conn-table th button:text-is('Msgs to')");
await page.waitForFunction(() => document.querySelector("#conn-table tbody tr td:nth-child(3)").textContent === "subscriber");
assert.equal(await page.getAttribute("#conn-table th:has(button:text-is('Msgs to'))", "aria-sort"), "descending");
await page.keyboard.press("/");
await page.keyboard.type("publ");
await page.waitForFunction(() => document.querySelectorAll("#conn-table tbody tr").length === 1);
await page.fill("#conn-filter", "subscriber");
await page.waitForFunction(() => document.querySelector("#conn-table tbody tr td:nth-child(3)").textContent === "subscriber");
await page.click("#conn-table tbody tr td button");
await page.waitForFunction(() => document.querySelectorAll("#conn-detail li").length === 2);
assert.match(await page.textContent("#conn-detail ul"), /audit {2}queue workers/);
await accessible(page, "the connections");
await picture(page, "monitor-connections");
await page.fill("#conn-filter", "");

// 3. Hostile names are text.
const evil = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`;
const hostile = await client(evil, `SUB <b>x</b> 1\r\n`);
await page.fill("#conn-filter", "onerror");
await page.waitForFunction((name) => document.querySelector("#conn-table tbody tr td:nth-child(3)").textContent === name, evil);
assert.equal(await page.locator("#conn-table img, #conn-table script").count(), 0);
await page.fill("#conn-filter", "");

// 4. Who would get a subject.
await visit(page, "subscriptions");
await page.fill("#sub-test", "orders.new");
await page.click("#sub-form button[type=submit]");
await page.waitForFunction(() => document.querySelectorAll("#sub-table tbody tr").length === 1 && document.querySelector("#sub-table tbody td").textContent === "orders.>");
await page.fill("#sub-test", "orders.*");
await page.click("#sub-form button[type=submit]");
await page.waitForFunction(() => !document.getElementById("sub-error").hidden && document.getElementById("sub-error").textContent.includes("invalid test subject"));
await page.fill("#sub-test", "");
await page.click("#sub-form button[type=submit]");
await page.waitForFunction(() => document.querySelectorAll("#sub-table tbody tr").length === 3);
await accessible(page, "the subscriptions");

// 5. Configuration and cluster.
await visit(page, "configuration");
await page.fill("#config-filter", "max_pending");
await page.waitForFunction(() => document.querySelectorAll("#config-table tbody tr").length === 1);
assert.match(await page.textContent("#config-table tbody"), /natsd\.conf:\d+/);
await accessible(page, "the configuration");
await visit(page, "cluster");
await page.waitForFunction(() => document.querySelectorAll("#missing-table tbody tr td").length > 1);
assert.match(await page.getAttribute("#mesh svg", "aria-label"), /0 servers are connected, 1 are missing/);
await accessible(page, "the cluster");
await picture(page, "monitor-cluster");

// 6. A slow consumer shows while it is behind, and once it was cut.
await visit(page, "slow");
const slow = await client("snail", "SUB bulk 1\r\n");
slow.pause();
const block = "PUB bulk 65536\r\n" + "x".repeat(65536) + "\r\n";
async function flood(enough) {
  while (!await enough()) {
    publisher.write(block);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
const ask = async (path) => (await fetch(monitor + path)).json();
await flood(async () => (await ask("/connz?sort=pending&limit=1")).connections[0].pending_bytes > 1 << 20);
await page.waitForFunction(() => [...document.querySelectorAll("#behind-table tbody tr")].some((r) => r.textContent.includes("snail")));
await flood(async () => (await ask("/slowz")).clients > 0);
await page.waitForFunction(() => [...document.querySelectorAll("#slow-table tbody tr")].some((r) => r.textContent.includes("snail")));
assert.match(await page.textContent("#slow-table tbody"), /max_pending 4194304 bytes.*bulk/);
await accessible(page, "the slow consumers");
await picture(page, "monitor-slow");
await visit(page, "connections");
await page.selectOption("#conn-state", "closed");
await page.waitForFunction(() => document.querySelector("#conn-table tbody").textContent.includes("Slow Consumer (Pending Bytes)"));
await page.selectOption("#conn-state", "open");

// 7. It stays usable with many connections.
const many = [];
for (let i = 0; i < crowd; i += 500) many.push(...await Promise.all(Array.from({ length: 500 }, (_, k) => client("crowd-" + (i + k)))));
await page.waitForFunction((n) => document.getElementById("conn-range").textContent.endsWith(new Intl.NumberFormat("en").format(n)), crowd + 3);
await page.fill("#conn-filter", "crowd-9999");
await page.waitForFunction(() => document.querySelectorAll("#conn-table tbody tr").length === 1 && document.querySelector("#conn-table tbody").textContent.includes("crowd-9999"));
await page.fill("#conn-filter", "");
await page.selectOption("#conn-limit", "250");
await page.waitForFunction(() => document.querySelectorAll("#conn-table tbody tr").length === 250);
await page.click("#conn-next");
await page.waitForFunction(() => document.getElementById("conn-range").textContent.startsWith("251"));
const longest = await page.evaluate(() => new Promise((resolve) => {
  // The longest time in which the page could not have answered a key, over three refreshes.
  let last = performance.now(), most = 0;
  const end = last + 3500;
  const tick = () => {
    const now = performance.now();
    most = Math.max(most, now - last);
    last = now;
    if (now < end) setTimeout(tick, 0); else resolve(most);
  };
  tick();
}));
console.log(`longest block with ${crowd} connections: ${longest.toFixed(0)} ms`);
for (const socket of many) socket.destroy();

// 8. Dark, small, by keyboard.
const dark = await open("dark");
await dark.setViewportSize({ width: 420, height: 800 });
await accessible(dark, "the dark page");
await dark.setViewportSize({ width: 1280, height: 800 });
await dark.waitForFunction(() => document.querySelector("#chart-in polyline").getAttribute("points").split(" ").length > 6);
await new Promise((resolve) => setTimeout(resolve, 1000 * Number(seconds)));
await picture(dark, "monitor-dark");
await dark.keyboard.press("Tab");
assert.equal(await dark.evaluate(() => document.activeElement.className), "skip");
await dark.keyboard.press("Tab");
await dark.keyboard.press("Tab");
await dark.keyboard.press("Enter");
await dark.waitForFunction(() => location.hash === "#connections" && !document.getElementById("view-connections").hidden);
await dark.focus("#pause");
await dark.keyboard.press("Enter");
assert.equal(await dark.getAttribute("#pause", "aria-pressed"), "true");

assert.equal(await page.title().then((t) => t.includes("owned")), false);
assert.deepEqual(problems, []);
clearInterval(feed);
for (const socket of [subscriber, publisher, hostile, slow]) socket.destroy();
await browser.close();
console.log("ok");
process.exit(0);
