"use strict";
// Draws the report. Every number on the page comes from the JSON in it: an element that shows one has its path in data-path.
(() => {
  const report = JSON.parse(document.getElementById("data").textContent);
  const page = document.getElementById("page");
  const SVG = "http://www.w3.org/2000/svg";

  const add = (parent, name, attributes, text) => {
    const e = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) e.setAttribute(key, value);
    if (text !== undefined) e.textContent = text;
    parent.append(e);
    return e;
  };
  const draw = (parent, name, attributes, text) => {
    const e = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes || {})) e.setAttribute(key, value);
    if (text !== undefined) e.textContent = text;
    parent.append(e);
    return e;
  };

  const digits = (n) => Number(n.toPrecision(3)).toString();
  const number = (n) => {
    for (const [unit, of] of [["G", 1e9], ["M", 1e6], ["k", 1e3]]) if (n >= of) return digits(n / of) + " " + unit;
    return digits(n);
  };
  const bytes = (n) => {
    for (const [unit, of] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]]) if (n >= of) return digits(n / of) + " " + unit;
    return digits(n) + " B";
  };
  const time = (ns) => {
    for (const [unit, of] of [["s", 1e9], ["ms", 1e6], ["µs", 1e3]]) if (ns >= of) return digits(ns / of) + " " + unit;
    return digits(ns) + " ns";
  };
  const whole = (n) => n.toLocaleString("en-US");
  const perSecond = (n) => number(n) + "/s";

  const at = (path) => path.split("/").reduce((value, key) => (value === undefined ? undefined : value[key]), report);
  const figure = (list, name, path, format, bad) => {
    const value = at(path);
    if (value === undefined || value === null) return;
    const box = add(list, "div", { class: "figure" + (bad && value > 0 ? " bad" : "") });
    add(box, "dt", {}, name);
    add(box, "dd", { "data-path": path }, format(value));
  };

  // A chart of lines: each a list of [x, y]. Axes begin at 0, or are logarithmic.
  const chart = (parent, title, o) => {
    const box = add(parent, "figure", {});
    add(box, "h3", {}, title);
    const [width, height, left, bottom, top, right] = [480, 240, 62, 28, 10, 12];
    const svg = draw(box, "svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title });
    const points = o.lines.flat();
    const xs = points.map((p) => p[0]), ys = points.map((p) => p[1]).filter((y) => !o.logY || y > 0);
    const maxX = o.maxX || Math.max(...xs, 0) || 1;
    const minX = o.logX ? Math.min(...xs.filter((x) => x > 0)) : 0;
    const maxY = (o.maxY || Math.max(...ys, 0) * 1.08) || 1;
    const minY = o.logY ? Math.min(...ys) / 1.2 : 0;
    const scale = (value, low, high, log) => log ? (Math.log(value) - Math.log(low)) / (Math.log(high) - Math.log(low) || 1) : (value - low) / (high - low || 1);
    const x = (v) => left + scale(Math.max(v, minX), minX, maxX, o.logX) * (width - left - right);
    const y = (v) => height - bottom - scale(Math.max(v, minY), minY, maxY, o.logY) * (height - bottom - top);
    const marks = (low, high, log) => {
      if (!log) {
        const rough = (high - low) / 5, unit = 10 ** Math.floor(Math.log10(rough));
        const step = [1, 2, 2.5, 5, 10].map((n) => n * unit).find((n) => n >= rough);
        return Array.from({ length: Math.floor((high - low) / step * 1.0001) + 1 }, (_, i) => low + i * step);
      }
      const list = [];
      for (let d = 10 ** Math.floor(Math.log10(low)); d <= high; d *= 10) if (d >= low) list.push(d);
      return list.length > 1 ? list : [low, high];
    };
    for (const v of marks(minY, maxY, o.logY)) {
      draw(svg, "line", { class: "grid", x1: left, x2: width - right, y1: y(v), y2: y(v) });
      draw(svg, "text", { x: left - 6, y: y(v) + 4, "text-anchor": "end" }, o.formatY(v));
    }
    for (const [v, text] of o.marksX || marks(minX, maxX, o.logX).map((v) => [v, o.formatX(v)])) {
      draw(svg, "text", { x: x(v), y: height - 8, "text-anchor": v === maxX ? "end" : "middle" }, text);
    }
    o.lines.forEach((line, i) => {
      const text = line.map((p) => `${x(p[0]).toFixed(1)},${y(p[1]).toFixed(1)}`).join(" ");
      draw(svg, "polyline", { class: "curve " + ["one", "two"][i], points: text });
    });
    if (o.key) {
      const key = add(box, "p", { class: "key" });
      add(key, "b", {}, "— " + o.key[0]);
      if (o.key[1]) { key.append("   "); add(key, "i", {}, "- - " + o.key[1]); }
    }
  };

  const percentiles = [["50 %", "p50"], ["90 %", "p90"], ["99 %", "p99"], ["99.9 %", "p99.9"], ["99.99 %", "p99.99"], ["most", "max"]];

  const result = (r, i) => {
    const path = (key) => `results/${i}/${key}`;
    add(page, "h2", {}, r.name);
    const parts = [r.workload];
    const words = { pubs: "publishers", subs: "subscribers", connections: "connections", subjects: "subjects", in_flight: "in flight" };
    for (const [key, word] of Object.entries(words)) if (r[key] > 1) parts.push(`${whole(r[key])} ${word}`); else if (r[key] === 1 && key !== "subjects") parts.push(`1 ${word.replace(/s$/, "")}`);
    if (r.workload !== "connections") parts.push(`${r.size} bytes`);
    if (r.queue) parts.push(`queue group ${r.queue}`);
    parts.push(r.rate ? `${number(r.rate)} a second (${r.arrival})` : "as fast as it goes");
    add(page, "p", {}, parts.join(" · "));
    const list = add(page, "dl", { class: "figures" });
    figure(list, r.workload === "connections" ? "opened" : "published", path("published"), whole);
    figure(list, r.workload === "connections" ? "opened a second" : "publish rate", path("publish_rate"), perSecond);
    if (r.delivered > 0 || r.expected > 0) {
      figure(list, "delivered", path("delivered"), whole);
      figure(list, "deliver rate", path("deliver_rate"), perSecond);
      figure(list, "lost", path("lost"), whole, true);
      figure(list, "twice", path("duplicates"), whole, true);
      figure(list, "out of order", path("reordered"), whole, true);
      if (r.gaps) { figure(list, "gaps", path("gaps"), whole, true); figure(list, "longest gap", path("longest_gap"), whole, true); }
    }
    figure(list, "of somebody else", path("foreign"), whole, true);
    figure(list, "connections lost", path("disconnects"), whole, true);
    figure(list, "longest silence", path("longest_silence"), time);
    if (r.failures) { const failures = add(page, "ul", {}); for (const text of r.failures) add(failures, "li", {}, text); }

    const charts = add(page, "div", { class: "charts" });
    const timeline = r.timeline || [];
    if (timeline.length > 1) {
      const lines = [timeline.map((s) => [s.at, s.publish_rate])];
      if (r.delivered > 0) lines.push(timeline.map((s) => [s.at, s.deliver_rate]));
      chart(charts, "Messages a second over time", { lines, formatX: time, formatY: number, key: ["published", r.delivered > 0 ? "delivered" : ""] });
      const timed = timeline.filter((s) => s.p99);
      if (timed.length > 1) chart(charts, "Latency over time", { lines: [timed.map((s) => [s.at, s.p50]), timed.map((s) => [s.at, s.p99])], formatX: time, formatY: time, logY: true, key: ["50 %", "99 %"] });
    }
    const latency = r.latency;
    if (latency && latency.cdf && latency.cdf.length > 1) {
      const last = Math.log10(Math.max(100, latency.count));
      const nines = latency.cdf.map((b) => [Math.min(last, -Math.log10(Math.max(1e-12, 1 - b.percent / 100))), b.value]);
      const marksX = [[0, "0"], [1, "90 %"], [2, "99 %"], [3, "99.9 %"], [4, "99.99 %"], [5, "99.999 %"]].filter((m) => m[0] <= last);
      chart(charts, "Latency by percentile", { lines: [nines], maxX: last, marksX, formatX: String, formatY: time, logY: true });
      chart(charts, "Share of messages at most so late", { lines: [latency.cdf.map((b) => [Math.max(1, b.value), b.percent])], logX: true, maxY: 100, formatX: time, formatY: (v) => digits(v) + " %" });
    }
    const rows = [["latency", "latency"], ["sent late by", "send_lag"]].filter(([, key]) => r[key]);
    if (rows.length) {
      const table = add(add(page, "div", { class: "table" }), "table", {});
      const head = add(add(table, "thead", {}), "tr", {});
      add(head, "td", {}, "");
      for (const [name] of percentiles) add(head, "th", { scope: "col" }, name);
      add(head, "th", { scope: "col" }, "mean");
      add(head, "th", { scope: "col" }, "messages");
      const body = add(table, "tbody", {});
      for (const [name, key] of rows) {
        const row = add(body, "tr", {});
        add(row, "td", {}, name);
        for (const [, p] of percentiles) add(row, "td", { "data-path": path(`${key}/${p}`) }, time(r[key][p]));
        add(row, "td", { "data-path": path(`${key}/mean`) }, time(r[key].mean));
        add(row, "td", { "data-path": path(`${key}/count`) }, whole(r[key].count));
      }
    }
  };

  add(page, "h1", {}, "natsd bench");
  const version = report.server.version ? ", version " + report.server.version : "";
  add(page, "p", {}, `${report.server.addresses.join(", ")}${version} · ${report.host.os}/${report.host.arch}, ${report.host.cpus} CPUs · ${report.started}`);
  report.results.forEach(result);
  if (report.usage || report.generator.cpu) {
    add(page, "h2", {}, "What it has used");
    if (report.usage) add(page, "p", {}, report.usage.source + (report.usage.error ? " · " + report.usage.error : ""));
    const list = add(page, "dl", { class: "figures" });
    figure(list, "cores of the server", "usage/cores", digits);
    figure(list, "CPU a message", "usage/cpu_per_message", time);
    figure(list, "memory at the end", "usage/memory", bytes);
    figure(list, "most memory", "usage/memory_max", bytes);
    figure(list, "memory a connection", "usage/memory_per_connection", bytes);
    figure(list, "CPU time of the generator", "generator/cpu", time);
  }
})();
