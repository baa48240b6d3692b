// The page of natsd. It reads the JSON endpoints and nothing else. All texts from the server go in as text, never as HTML.
"use strict";

const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
// Endpoints lie beside the folder of this script.
const base = new URL("..", document.currentScript.src);

const state = {
  view: "overview", paused: false, token: sessionStorage.getItem("natsd-token") || "",
  samples: [], varz: null, conn: { sort: "cid", offset: 0, total: 0 }, sub: { offset: 0, total: 0, test: "", account: "" }, config: [],
};
const pageOfSubs = 100;
const kept = 120; // samples in a chart

// --- small tools ---

function element(tag, props = {}, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name in e) e[name] = value; else e.setAttribute(name, value);
  }
  e.append(...children);
  return e;
}

function drawing(tag, attributes, ...children) {
  const e = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  e.append(...children);
  return e;
}

const whole = new Intl.NumberFormat("en");
const count = (n) => whole.format(n);

function short(n) {
  for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) if (n >= size) return (n / size).toFixed(n >= 100 * size ? 0 : 1) + unit;
  return n < 10 && n % 1 ? n.toFixed(1) : String(Math.round(n));
}

function bytes(n) {
  for (const [size, unit] of [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]]) if (n >= size) return (n / size).toFixed(n >= 100 * size ? 0 : 1) + " " + unit;
  return Math.round(n) + " B";
}

// known is a round trip, which is 0s until there was one.
const known = (rtt) => (!rtt || rtt === "0s" ? "–" : rtt);

class NeedsToken extends Error {}

async function get(path, parameters = {}) {
  const url = new URL(path, base);
  for (const [name, value] of Object.entries(parameters)) if (value !== "") url.searchParams.set(name, value);
  const headers = state.token ? { Authorization: "Bearer " + state.token } : {};
  const answer = await fetch(url, { headers, cache: "no-store" });
  if (answer.status === 401) throw new NeedsToken("credentials are needed");
  return answer;
}

async function json(path, parameters) {
  const answer = await get(path, parameters);
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

// fill puts rows into a table. A column is {title, value, number, wide, sort}.
function fill(table, columns, rows, options = {}) {
  const head = table.tHead, body = table.tBodies[0];
  if (head.rows.length === 0 || options.newHead) {
    const row = element("tr");
    for (const c of columns) {
      const th = element("th", { scope: "col", className: c.number ? "number" : "" });
      if (c.sort && options.onSort) {
        th.append(element("button", { type: "button", onclick: () => options.onSort(c.sort) }, c.title));
        if (options.sorted === c.sort) th.setAttribute("aria-sort", c.sort === "cid" || c.sort === "reason" ? "ascending" : "descending");
      } else {
        th.append(c.title);
      }
      row.append(th);
    }
    head.replaceChildren(row);
  }
  const lines = rows.map((r) => {
    const row = element("tr", { className: options.hot && options.hot(r) ? "hot" : "" });
    for (const c of columns) {
      const value = c.value(r);
      const cell = element("td", { className: (c.number ? "number" : "") + (c.wide ? " wide" : "") }, value instanceof Node ? value : String(value));
      if (!(value instanceof Node)) cell.title = String(value).slice(0, 500);
      row.append(cell);
    }
    return row;
  });
  if (lines.length === 0) lines.push(element("tr", {}, element("td", { colSpan: columns.length, className: "empty" }, options.empty || "none")));
  body.replaceChildren(...lines);
}

function facts(list, pairs) {
  list.replaceChildren(...pairs.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value))]));
}

// --- overview ---

const charts = [
  { key: "in", title: "Messages in", unit: "/s", of: (a, b, s) => (b.in_msgs - a.in_msgs) / s, text: short },
  { key: "out", title: "Messages out", unit: "/s", of: (a, b, s) => (b.out_msgs - a.out_msgs) / s, text: short },
  { key: "inb", title: "Bytes in", unit: "/s", of: (a, b, s) => (b.in_bytes - a.in_bytes) / s, text: bytes },
  { key: "outb", title: "Bytes out", unit: "/s", of: (a, b, s) => (b.out_bytes - a.out_bytes) / s, text: bytes },
  { key: "conns", title: "Connections", unit: "", of: (a, b) => b.connections, text: count },
  { key: "subs", title: "Subscriptions", unit: "", of: (a, b) => b.subscriptions, text: count },
  { key: "cpu", title: "Processor", unit: "%", of: (a, b) => b.cpu, text: (n) => n.toFixed(1) },
  { key: "mem", title: "Memory", unit: "", of: (a, b) => b.mem, text: bytes },
  { key: "slow", title: "Slow consumers", unit: " cut", of: (a, b) => b.slow_consumers, text: count },
];

function chartCards() {
  for (const c of charts) {
    c.value = element("span", {}, "–");
    c.line = drawing("polyline", { points: "" });
    const picture = drawing("svg", { viewBox: "0 0 120 44", preserveAspectRatio: "none", "aria-hidden": "true" }, c.line);
    $("charts").append(element("div", { className: "card", id: "chart-" + c.key }, element("h3", {}, c.title), element("p", {}, c.value, element("small", {}, c.unit)), picture));
  }
}

function draw() {
  const s = state.samples;
  for (const c of charts) {
    const values = [];
    for (let i = 1; i < s.length; i++) {
      const passed = (Date.parse(s[i].now) - Date.parse(s[i - 1].now)) / 1000;
      if (passed > 0) values.push(Math.max(0, c.of(s[i - 1], s[i], passed)));
    }
    if (values.length === 0) continue;
    c.value.textContent = c.text(values[values.length - 1]);
    const most = Math.max(...values, 1e-9);
    const step = 120 / (Math.max(values.length, 30) - 1);
    c.line.setAttribute("points", values.map((v, i) => `${(120 - (values.length - 1 - i) * step).toFixed(1)},${(42 - 40 * v / most).toFixed(1)}`).join(" "));
  }
}

async function showVarz() {
  const v = await json("varz");
  if (state.varz && state.varz.server_id !== v.server_id) state.samples = []; // it was started again
  state.varz = v;
  state.samples.push(v);
  if (state.samples.length > kept) state.samples.shift();
  $("server-name").textContent = v.server_name;
  $("server-version").textContent = "natsd " + v.version;
  document.title = v.server_name + " – natsd";
  if (state.view !== "overview") return;
  draw();
  facts($("facts"), [
    ["id", v.server_id], ["address", v.host + ":" + v.port], ["up", v.uptime], ["build", v.version + (v.git_commit ? " (" + v.git_commit + ")" : "") + ", " + v.go],
    ["clients", count(v.connections) + " of " + (v.max_connections < 0 ? "any number" : count(v.max_connections)) + ", " + count(v.total_connections) + " so far"],
    ["routes", v.routes + " to " + v.remotes + " servers"], ["messages in", count(v.in_msgs)], ["messages out", count(v.out_msgs)],
    ["slow consumers", count(v.slow_consumers)], ["stale connections", count(v.stale_connections)],
    ["largest message", bytes(v.max_payload)], ["pending limit", bytes(v.max_pending)],
    ["authorization", v.auth_required ? "required" : "none"], ["TLS", v.tls_required ? "required" : "not required"], ["configuration of", v.config_load_time.slice(0, 19).replace("T", " ") + " UTC"],
  ]);
}

async function showHealth() {
  const answer = await get("readyz", { verbose: "1" });
  const lines = (await answer.text()).trim().split("\n");
  const result = lines.pop();
  $("status").className = answer.ok ? "good" : "bad";
  $("status-text").textContent = answer.ok ? "ready" : "not ready";
  $("health").replaceChildren(...lines.map((l) => element("li", {}, element("span", { className: "dot " + (l.startsWith("[+]") ? "good" : "bad"), ariaHidden: "true" }), l.slice(3))));
  return result;
}

// --- connections ---

const address = (c) => (c.ip ? (c.ip.includes(":") ? "[" + c.ip + "]" : c.ip) + ":" + c.port : "in process");

function connColumns() {
  const closed = $("conn-state").value !== "open";
  const columns = [
    { title: "Id", sort: "cid", number: true, value: (c) => element("button", { type: "button", title: "details", ariaLabel: "Details of connection " + c.cid, onclick: () => showConnection(c.cid) }, String(c.cid)) },
    { title: "Address", value: address },
    { title: "Name", value: (c) => c.name || "" },
    { title: "User", value: (c) => (c.authorized_user || "") + (c.account ? " @ " + c.account : "") },
    { title: "Client", value: (c) => [c.lang, c.version].filter(Boolean).join(" ") },
    { title: "Pending", sort: "pending", number: true, value: (c) => bytes(c.pending_bytes) },
    { title: "Msgs to", sort: "msgs_to", number: true, value: (c) => count(c.out_msgs) },
    { title: "Msgs from", sort: "msgs_from", number: true, value: (c) => count(c.in_msgs) },
    { title: "Bytes to", sort: "bytes_to", number: true, value: (c) => bytes(c.out_bytes) },
    { title: "Bytes from", sort: "bytes_from", number: true, value: (c) => bytes(c.in_bytes) },
    { title: "Subs", sort: "subs", number: true, value: (c) => count(c.subscriptions) },
    { title: "RTT", sort: "rtt", number: true, value: (c) => known(c.rtt) },
    { title: "Up", sort: "uptime", number: true, value: (c) => c.uptime },
    { title: "Idle", sort: "idle", number: true, value: (c) => c.idle },
  ];
  if (closed) columns.push({ title: "Closed", sort: $("conn-state").value === "closed" ? "stop" : undefined, value: (c) => (c.stop || "").slice(0, 19).replace("T", " ") }, { title: "Reason", sort: $("conn-state").value === "closed" ? "reason" : undefined, value: (c) => c.reason || "" });
  return columns;
}

const behind = (c) => c.pending_bytes > 0 && state.varz && c.pending_bytes > state.varz.max_pending / 100;

async function showConnections() {
  const q = state.conn;
  const z = await json("connz", { auth: 1, sort: q.sort, state: $("conn-state").value, limit: $("conn-limit").value, offset: q.offset, match: $("conn-filter").value.trim() });
  q.total = z.total;
  fill($("conn-table"), connColumns(), z.connections, { newHead: $("conn-table").dataset.head !== q.sort + $("conn-state").value, sorted: q.sort, hot: behind, onSort: (sort) => { q.sort = sort; q.offset = 0; refresh(); } });
  $("conn-table").dataset.head = q.sort + $("conn-state").value;
  pager("conn", q.offset, z.connections.length, z.total);
}

function pager(name, offset, shown, total) {
  $(name + "-range").textContent = shown ? `${count(offset + 1)}–${count(offset + shown)} of ${count(total)}` : `0 of ${count(total)}`;
  $(name + "-prev").disabled = offset === 0;
  $(name + "-next").disabled = offset + shown >= total;
}

async function showConnection(cid) {
  const z = await json("connz", { cid, auth: 1, subs: "detail", state: "all" });
  const c = z.connections[0], box = $("conn-detail");
  if (!c) return;
  box.querySelector("h3").textContent = "Connection " + cid;
  const plain = Object.entries(c).filter(([, v]) => typeof v !== "object");
  facts(box.querySelector("dl"), plain);
  const subs = c.subscriptions_list_detail || [];
  const most = 200;
  box.querySelector("ul").replaceChildren(...subs.slice(0, most).map((s) => element("li", {}, s.subject + (s.qgroup ? "  queue " + s.qgroup : "") + "  sid " + s.sid + "  " + count(s.msgs) + " messages" + (s.max ? " of " + s.max : ""))));
  if (subs.length > most) box.querySelector("ul").append(element("li", {}, `and ${subs.length - most} more`));
  box.hidden = false;
  box.querySelector("h3").focus();
}

// --- slow consumers ---

async function showSlow() {
  const [z, now] = await Promise.all([json("slowz"), json("connz", { sort: "pending", limit: 10, auth: 1 })]);
  $("slow-count").textContent = `Cut since the start: clients ${count(z.clients)}, routes ${count(z.routes)}.`;
  fill($("behind-table"), connColumns().filter((c) => ["Id", "Address", "Name", "User", "Pending", "Msgs to", "RTT", "Idle"].includes(c.title)), now.connections.filter((c) => c.pending_bytes > 0), { hot: behind, empty: "nobody has anything pending" });
  fill($("slow-table"), [
    { title: "Time", value: (s) => s.time.slice(0, 19).replace("T", " ") }, { title: "Id", number: true, value: (s) => s.cid }, { title: "Kind", value: (s) => s.kind }, { title: "Address", value: address },
    { title: "User", value: (s) => s.user || "" }, { title: "Name", value: (s) => s.name || "" }, { title: "Connected", value: (s) => s.age }, { title: "Behind", value: (s) => s.behind || "" },
    { title: "Pending", number: true, value: (s) => bytes(s.pending_bytes) }, { title: "Limit", value: (s) => s.limit + " " + s.limit_value },
    { title: "Most of it", wide: true, value: (s) => s.subjects.map((x) => `${x.subject} (${count(x.msgs)})`).join(", ") },
  ], z.slow_consumers, { empty: "nobody was cut" });
}

// --- cluster ---

async function showCluster() {
  const z = await json("routez");
  fill($("route-table"), [
    { title: "Id", number: true, value: (r) => r.rid }, { title: "Server", value: (r) => r.remote_name || r.remote_id }, { title: "Address", value: address }, { title: "Dialled by", value: (r) => (r.did_solicit ? "us" : "them") },
    { title: "RTT", number: true, value: (r) => known(r.rtt) }, { title: "Pending", number: true, value: (r) => bytes(r.pending_size) }, { title: "Msgs in", number: true, value: (r) => count(r.in_msgs) }, { title: "Msgs out", number: true, value: (r) => count(r.out_msgs) },
    { title: "Interest", number: true, value: (r) => count(r.subscriptions) }, { title: "Up", number: true, value: (r) => r.uptime }, { title: "Idle", number: true, value: (r) => r.idle },
  ], z.routes, { empty: "no routes" });
  fill($("missing-table"), [
    { title: "Address", value: (m) => m.address }, { title: "From", value: (m) => (m.is_configured ? "configuration" : "other servers") }, { title: "Attempts", number: true, value: (m) => m.attempts },
    { title: "Missing since", value: (m) => m.since.slice(0, 19).replace("T", " ") }, { title: "Last error", wide: true, value: (m) => m.last_error || "" },
  ], z.missing || [], { empty: "nobody is missing" });
  mesh(z);
}

function mesh(z) {
  const others = [...z.routes.map((r) => ({ name: r.remote_name || r.remote_id, slow: r.pending_size > 1 << 20 })), ...(z.missing || []).map((m) => ({ name: m.address, bad: true }))];
  const picture = drawing("svg", { viewBox: "0 0 640 320", role: "img", "aria-label": `${z.routes.length} servers are connected, ${(z.missing || []).length} are missing` });
  const cut = (text) => (text.length > 22 ? text.slice(0, 21) + "…" : text);
  const nodes = [];
  others.forEach((o, i) => {
    const angle = 2 * Math.PI * i / others.length - Math.PI / 2;
    const x = 320 + 230 * Math.cos(angle), y = 155 + 110 * Math.sin(angle);
    picture.append(drawing("line", { x1: 320, y1: 155, x2: x, y2: y, class: o.bad ? "bad" : o.slow ? "slow" : "" }));
    nodes.push(drawing("circle", { cx: x, cy: y, r: 14, class: o.bad ? "bad" : "" }), drawing("text", { x, y: Math.sin(angle) < 0 ? y - 20 : y + 30 }, cut(o.name)));
  });
  nodes.push(drawing("circle", { cx: 320, cy: 155, r: 20 }), drawing("text", { x: 320, y: 191 }, cut(z.server_name || "this server")));
  picture.append(...nodes);
  $("mesh").replaceChildren(picture);
}

// --- subscriptions ---

async function showSubscriptions() {
  const q = state.sub;
  const invalid = q.test !== "" && q.test.split(".").some((token) => token === "" || token === "*" || token === ">" || /\s/.test(token));
  $("sub-error").hidden = !invalid;
  if (invalid) {
    $("sub-error").textContent = "invalid test subject, must be valid publish subject: " + q.test;
    return;
  }
  const z = await json("subsz", { subs: 1, test: q.test, acc: q.account, limit: pageOfSubs, offset: q.offset });
  q.total = z.total;
  $("sub-facts").replaceChildren(...[
    ["in the index", count(z.num_subscriptions)], ["added", count(z.num_inserts)], ["removed", count(z.num_removes)], ["matches", count(z.num_matches)],
    ["cache hits", (100 * z.cache_hit_rate).toFixed(1) + " %"], ["cached", count(z.num_cache)], ["largest fan-out", count(z.max_fanout)], ["average fan-out", z.avg_fanout.toFixed(2)],
  ].map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
  const list = z.subscriptions_list || [];
  fill($("sub-table"), [
    { title: "Subject", wide: true, value: (s) => s.subject }, { title: "Queue", value: (s) => s.qgroup || "" }, { title: "Account", value: (s) => s.account || "" },
    { title: "Connection", number: true, value: (s) => s.cid }, { title: "Sid", value: (s) => s.sid }, { title: "Messages", number: true, value: (s) => count(s.msgs) }, { title: "Ends after", number: true, value: (s) => s.max || "" },
  ], list, { empty: q.test ? "nobody on this server would get it" : "no subscriptions" });
  pager("sub", q.offset, list.length, z.total);
}

// --- configuration ---

async function showConfiguration() {
  const z = await json("configz");
  state.config = z.settings;
  $("config-about").textContent = (z.file ? "File " + z.file : "No file") + (z.digest ? ", " + z.digest : "") + ", loaded " + z.loaded.slice(0, 19).replace("T", " ") + ` UTC; ${z.reloads} reloads, ${z.failed_reloads} failed.`;
  listConfiguration();
}

function listConfiguration() {
  const text = $("config-filter").value.trim().toLowerCase(), changed = $("config-changed").checked;
  fill($("config-table"), [
    { title: "Option", value: (s) => s.name }, { title: "Value", wide: true, value: (s) => s.value }, { title: "From", wide: true, value: (s) => s.origin },
  ], state.config.filter((s) => (!changed || s.origin !== "default") && (s.name + " " + s.value).toLowerCase().includes(text)));
}

// --- life of the page ---

const views = { overview: null, connections: showConnections, slow: showSlow, cluster: showCluster, subscriptions: showSubscriptions, configuration: showConfiguration };

function route() {
  const wanted = location.hash.slice(1);
  if (wanted === "main") return;
  state.view = wanted in views ? wanted : "overview";
  for (const name of Object.keys(views)) $("view-" + name).hidden = name !== state.view;
  for (const a of document.querySelectorAll("header nav a")) {
    if (a.hash === "#" + state.view) a.setAttribute("aria-current", "page"); else a.removeAttribute("aria-current");
  }
  refresh();
}

let running = false, again = false;

// refresh asks for what is shown. There is one at a time, and one more if somebody asked meanwhile.
async function refresh() {
  if (running) {
    again = true;
    return;
  }
  running = true;
  try {
    await showVarz();
    await showHealth();
    if (views[state.view]) await views[state.view]();
    $("login").hidden = true;
  } catch (err) {
    $("status").className = "bad";
    $("status-text").textContent = err instanceof NeedsToken ? "locked" : "no answer";
    if (err instanceof NeedsToken && $("login").hidden) {
      $("login").hidden = false;
      $("token").focus();
    }
  }
  running = false;
  if (again) {
    again = false;
    refresh();
  }
}

function start() {
  chartCards();
  $("pause").addEventListener("click", () => {
    state.paused = !state.paused;
    $("pause").setAttribute("aria-pressed", String(state.paused));
    $("pause").textContent = state.paused ? "Go on" : "Pause";
  });
  $("login").addEventListener("submit", (e) => {
    e.preventDefault();
    state.token = $("token").value;
    sessionStorage.setItem("natsd-token", state.token);
    refresh();
  });
  for (const form of ["conn-form", "config-form"]) $(form).addEventListener("submit", (e) => e.preventDefault());
  const restart = () => { state.conn.offset = 0; refresh(); };
  $("conn-filter").addEventListener("input", restart);
  $("conn-limit").addEventListener("change", restart);
  $("conn-state").addEventListener("change", () => {
    state.conn.sort = $("conn-state").value === "closed" ? "stop" : ["stop", "reason"].includes(state.conn.sort) ? "cid" : state.conn.sort;
    restart();
  });
  const move = (name, q, size, by, show) => $(name).addEventListener("click", () => { q.offset = Math.max(0, q.offset + by * size()); show(); });
  const rows = () => Number($("conn-limit").value);
  move("conn-prev", state.conn, rows, -1, refresh);
  move("conn-next", state.conn, rows, 1, refresh);
  move("sub-prev", state.sub, () => pageOfSubs, -1, refresh);
  move("sub-next", state.sub, () => pageOfSubs, 1, refresh);
  $("sub-form").addEventListener("submit", (e) => {
    e.preventDefault();
    Object.assign(state.sub, { offset: 0, test: $("sub-test").value.trim(), account: $("sub-account").value.trim() });
    refresh();
  });
  $("config-filter").addEventListener("input", listConfiguration);
  $("config-changed").addEventListener("change", listConfiguration);
  $("conn-detail").querySelector("button").addEventListener("click", () => { $("conn-detail").hidden = true; $("conn-filter").focus(); });
  addEventListener("hashchange", route);
  addEventListener("keydown", (e) => {
    if (e.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName) && state.view === "connections") {
      e.preventDefault();
      $("conn-filter").focus();
    }
  });
  setInterval(() => { if (!state.paused && !document.hidden) refresh(); }, 1000);
  route();
}

start();
