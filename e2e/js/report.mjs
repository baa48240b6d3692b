// Looks at a report of `natsd bench` with a real browser, and checks each number on it against the JSON of the same run.
//
//   node report.mjs REPORT.html REPORT.json CHROMIUM FOLDER     FOLDER is for screenshots
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [html, json, executablePath, folder] = process.argv.slice(2);
const report = JSON.parse(await readFile(json, "utf8"));
const axe = await readFile(new URL(import.meta.resolve("axe-core/axe.min.js")), "utf8");
const address = pathToFileURL(html).href;
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
const problems = [];

// valueOf reads a number as the page writes it, with its unit.
function valueOf(text) {
  const units = { "": 1, ns: 1, "µs": 1e3, ms: 1e6, s: 1e9, B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, k: 1e3, M: 1e6, G: 1e9 };
  const match = /^([\d.,]+)\s*([^\d]*)$/.exec(text);
  assert.ok(match, `a number: ${text}`);
  const unit = match[2].replace("/s", "").trim();
  assert.ok(unit in units, `a unit: ${text}`);
  return Number(match[1].replaceAll(",", "")) * units[unit];
}

for (const colorScheme of ["light", "dark"]) {
  const context = await browser.newContext({ colorScheme, viewport: { width: 1180, height: 900 } });
  const page = await context.newPage();
  page.on("console", (m) => { if (m.type() === "error" || m.type() === "warning") problems.push(m.text()); });
  page.on("pageerror", (e) => problems.push(String(e)));
  page.on("request", (r) => { if (r.url() !== address) problems.push("a request to " + r.url()); });
  await page.goto(address);

  const shown = await page.$$eval("[data-path]", (list) => list.map((e) => [e.getAttribute("data-path"), e.textContent]));
  assert.ok(shown.length > 20, `${shown.length} numbers`);
  for (const [path, text] of shown) {
    const value = path.split("/").reduce((v, key) => v[key], report);
    assert.ok(Math.abs(valueOf(text) - value) <= 0.006 * Math.abs(value), `${path} is ${value}, shown as ${text}`);
  }
  const untold = await page.$$eval("dd, td", (list) => list.filter((e) => /\d/.test(e.textContent) && !e.hasAttribute("data-path")).map((e) => e.outerHTML));
  assert.deepEqual(untold, [], "numbers that do not say where they come from");

  // The charts have as many points as the JSON.
  const points = await page.$$eval("polyline", (list) => list.map((e) => e.getAttribute("points").split(" ").length));
  let want = [];
  for (const r of report.results) {
    if (r.timeline.length > 1) {
      want.push(r.timeline.length);
      if (r.delivered > 0) want.push(r.timeline.length);
      const timed = r.timeline.filter((s) => s.p99).length;
      if (timed > 1) want.push(timed, timed);
    }
    if (r.latency) want.push(r.latency.cdf.length, r.latency.cdf.length);
  }
  assert.deepEqual(points, want, "points of the charts");
  assert.ok(await page.$$eval("polyline", (list) => list.every((e) => !/NaN|Infinity/.test(e.getAttribute("points")))), "every point has a place");
  const headings = await page.$$eval("h2", (list) => list.map((e) => e.textContent));
  for (const r of report.results) assert.ok(headings.includes(r.name), r.name);

  const session = await context.newCDPSession(page);
  await session.send("Runtime.evaluate", { expression: axe });
  const { result } = await session.send("Runtime.evaluate", { expression: "axe.run().then((r) => JSON.stringify([r.passes.length, r.violations]))", awaitPromise: true, returnByValue: true });
  const [passes, violations] = JSON.parse(result.value);
  assert.ok(passes > 5, "axe has looked at the report");
  assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 120)).join(" | ")}`), [], "axe");

  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "it fits the window");
  await page.screenshot({ path: `${folder}/bench-${colorScheme}.png`, fullPage: false });
  await page.setViewportSize({ width: 400, height: 800 });
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "it fits a telephone");
}
assert.deepEqual(problems, []);
await browser.close();
console.log("the report is in order");
