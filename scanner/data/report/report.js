"use strict";
// The table: rows are made for one page at a time, so that 20,000 findings cost no more than a hundred.
// All text goes through textContent; nothing of the data is ever read as markup.
(() => {
  const PAGE = 100, PRINTED = 2000, LEVELS = ["low", "medium", "high", "critical"];
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  const all = data.findings.map(([id, rule, level, confidence, state, redacted, evidence, since, found, where, decisions], order) => ({
    id, level, confidence, state, redacted, evidence, since, found, where, decisions, order,
    rule: data.rules[rule], year: since.slice(0, 4),
    place: where.length && where[0][1].length ? where[0][1][0][0] : "",
    repository: where.length ? data.repositories[where[0][0]] : "",
  }));
  const keys = {
    severity: (one) => one.level, rule: (one) => one.rule[1], repository: (one) => one.repository, place: (one) => one.place,
    since: (one) => one.since, repositories: (one) => one.where.length, state: (one) => one.state,
  };
  let shown = all, page = 0, sorted = "severity", down = true;
  const open = new Set();

  const make = (name, text, properties) => {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    return Object.assign(element, properties || {});
  };
  const list = (name, items) => { const top = make(name); top.append(...items); return top; };

  function haystack(one) {
    if (one.text === undefined) {
      const places = one.where.flatMap(([repository, places]) => [data.repositories[repository], ...places.flat(2)]);
      one.text = [one.id, one.rule[0], one.rule[1], one.redacted, ...one.evidence, ...places, ...one.decisions.flat()].join("\n").toLowerCase();
    }
    return one.text;
  }

  function filter() {
    const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const level = LEVELS.indexOf($("severity").value), state = $("state").value, rule = $("rule").value, year = $("year").value;
    const repository = $("repository").value === "" ? -1 : data.repositories.indexOf($("repository").value);
    shown = all.filter((one) =>
      (level < 0 || one.level === level) && (!state || one.state === state) && (!rule || one.rule[0] === rule) &&
      (!year || one.year === year) && (repository < 0 || one.where.some(([number]) => number === repository)) &&
      words.every((word) => haystack(one).includes(word)));
    sort();
  }

  function sort() {
    const key = keys[sorted], sign = down ? -1 : 1;
    const keyed = shown.map((one) => [key(one), one]);
    keyed.sort(([a, one], [b, other]) => (a < b ? -sign : a > b ? sign : one.order - other.order));
    shown = keyed.map(([, one]) => one);
    for (const head of document.querySelectorAll("#table th[data-sort]")) {
      head.setAttribute("aria-sort", head.dataset.sort === sorted ? (down ? "descending" : "ascending") : "none");
    }
    page = 0;
    draw();
  }

  function draw(limit = PAGE) {
    const pages = Math.max(1, Math.ceil(shown.length / PAGE)), start = limit === PAGE ? page * PAGE : 0;
    const rows = document.createDocumentFragment();
    for (const one of shown.slice(start, start + limit)) {
      rows.append(row(one));
      if (open.has(one.id)) rows.append(details(one));
    }
    $("rows").replaceChildren(rows);
    const number = (value) => value.toLocaleString("en");
    $("status").textContent = `${number(shown.length)} of ${number(all.length)} findings` +
      (shown.length > limit ? `, ${number(start + 1)} to ${number(Math.min(start + limit, shown.length))} shown` : "");
    $("page").textContent = `Page ${number(page + 1)} of ${number(pages)}`;
    $("previous").disabled = page === 0;
    $("next").disabled = page >= pages - 1;
  }

  function row(one) {
    const top = make("tr", undefined, { id: `row-${one.id}` });
    const cell = (...content) => { const td = make("td"); td.append(...content); top.append(td); return td; };
    cell(make("span", LEVELS[one.level], { className: `badge ${LEVELS[one.level]}` }));
    const name = make("th", one.rule[1], { scope: "row" });
    name.append(make("span", one.redacted, { className: "redacted" }));
    top.append(name);
    cell(one.repository || "nowhere any more");
    cell(one.place).className = "place";
    cell(one.since || "unknown");
    cell(String(one.where.length));
    cell(one.state);
    const button = make("button", open.has(one.id) ? "Hide" : "Show", { type: "button" });
    button.setAttribute("aria-expanded", String(open.has(one.id)));
    button.setAttribute("aria-controls", `details-${one.id}`);
    button.setAttribute("aria-label", `Details of ${one.rule[1]} ${one.redacted}`);
    button.addEventListener("click", () => toggle(one, top, button));
    cell(button);
    return top;
  }

  function toggle(one, top, button) {
    if (open.delete(one.id)) $(`details-${one.id}`).remove();
    else { open.add(one.id); top.after(details(one)); }
    button.textContent = open.has(one.id) ? "Hide" : "Show";
    button.setAttribute("aria-expanded", String(open.has(one.id)));
  }

  function details(one) {
    const top = make("tr", undefined, { id: `details-${one.id}`, className: "details" });
    const td = make("td", undefined, { colSpan: 8 });
    const [, , why, fix, links] = one.rule;
    const title = (text) => td.append(make("h4", text));
    title("Why it is believed");
    td.append(list("ul", [...one.evidence, `${one.confidence} confidence`].map((said) => make("li", said))));
    title("What to do");
    td.append(make("p", why), make("p", fix));
    const command = make("p", "With the commands filled in, and the history rewritten: ");
    command.append(make("code", `keyleash remedy ${one.id.slice(0, 12)}`));
    td.append(command, list("ul", links.map((link) => {
      const item = make("li");
      item.append(make("a", link, { href: link, rel: "noreferrer noopener" }));
      return item;
    })));
    title("Where it is");
    for (const [repository, places, count] of one.where) {
      td.append(make("p", data.repositories[repository]), list("ul", places.map(place)));
      if (count > places.length) td.append(make("p", `and ${(count - places.length).toLocaleString("en")} more places there`));
    }
    if (!one.where.length) td.append(make("p", "No repository holds it any more."));
    if (one.decisions.length) {
      title("Decisions");
      td.append(list("ol", one.decisions.map(([state, reason, who, at]) => make("li", [state, reason, who, at].filter(Boolean).join(" · ")))));
    }
    td.append(make("p", `Fingerprint ${one.id}` + (one.found ? `, first found ${one.found}` : ""), { className: "redacted" }));
    top.append(td);
    return top;
  }

  function place([where, via, commit, author, date, present, removed, blob]) {
    const item = make("li");
    item.append(make("span", where, { className: "place" }));
    const said = [via, commit && `commit ${commit.slice(0, 12)}`, author, date, present.length && `still in ${present.join(", ")}`,
      removed && `taken away by ${removed.slice(0, 12)}`, blob && !commit && `object ${blob.slice(0, 12)}`].filter(Boolean);
    item.append(` · ${said.join(" · ")}`);
    return item;
  }

  function fill(id, values) {
    $(id).append(...values.map(([value, label]) => make("option", label, { value })));
  }

  function narrow(kind, value) {
    if (kind === "fingerprint") $("search").value = value;
    else $(kind).value = value;
    filter();
    $("findings").focus();
  }

  function follow() {
    const id = location.hash.startsWith("#finding-") ? location.hash.slice(9) : "";
    if (!id) return;
    $("filters").reset();
    open.add(id);
    narrow("fingerprint", id);
  }

  const themes = ["system", "light", "dark"];
  $("theme").addEventListener("click", () => {
    const next = themes[(themes.indexOf(document.documentElement.dataset.theme || "system") + 1) % 3];
    if (next === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    $("theme").textContent = `Colours: ${next}`;
    $("theme").setAttribute("aria-label", next === "system" ? "Colours: as the system has them" : `Colours: ${next}`);
  });
  for (const bar of document.querySelectorAll("svg [data-filter]")) {
    bar.setAttribute("tabindex", "0");
    const label = bar.getAttribute("aria-label"), button = () => narrow(bar.dataset.filter, bar.dataset.value);
    bar.setAttribute("role", "button");
    bar.parentNode.setAttribute("role", "group");
    bar.setAttribute("aria-label", `${label}; show these`);
    bar.addEventListener("click", button);
    bar.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); button(); }
    });
  }
  for (const head of document.querySelectorAll("#table th[data-sort]")) {
    head.firstChild.addEventListener("click", () => {
      down = head.dataset.sort === sorted ? !down : ["severity", "repositories"].includes(head.dataset.sort);
      sorted = head.dataset.sort;
      sort();
    });
  }
  let waiting = 0;
  $("search").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, 120); });
  for (const id of ["severity", "state", "rule", "repository", "year"]) $(id).addEventListener("change", filter);
  $("filters").addEventListener("submit", (event) => { event.preventDefault(); filter(); });
  $("filters").addEventListener("reset", () => setTimeout(filter));
  $("previous").addEventListener("click", () => { page -= 1; draw(); });
  $("next").addEventListener("click", () => { page += 1; draw(); });
  addEventListener("hashchange", follow);
  addEventListener("beforeprint", () => draw(PRINTED));
  addEventListener("afterprint", () => draw());
  fill("rule", data.rules.map(([id, name]) => [id, name]).sort((a, b) => (a[1] < b[1] ? -1 : 1)));
  fill("repository", data.repositories.map((name) => [name, name]));
  fill("year", [...new Set(all.map((one) => one.year))].filter(Boolean).sort().map((year) => [year, year]));
  sort();
  follow();
})();
