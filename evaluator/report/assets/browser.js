"use strict";

// The sample browser. What is shown stands in the address after "#", so that every view can be linked.
// Each task's rows are in data/<task>.js, a script that assigns `hookeRows`: pages opened from disk cannot
// fetch. A row is [page, thumbnail, title, truth, {slice axis: value}, results]; a result is [model,
// outcome, answer, reason, latency in ms, anchor, metrics, verdict, repeat], the first two as places in `models`
// and `outcomes`, metrics in the order of `metrics`, null or left out where there is none; the verdict says what is
// right or wrong with an answer in words; repeats count from 0. The last two may be left out.

const PAGE_SIZE = 60;
const form = document.getElementById("filters");
const viewer = document.getElementById("viewer");
const state = { data: null, task: "", shown: [], page: 0, open: -1 };

const element = (tag, properties = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
};

function load(task) {
  return new Promise((resolve, reject) => {
    const script = element("script", { src: `data/${encodeURIComponent(task)}.js` });
    script.onload = () => resolve(window.hookeRows);
    script.onerror = () => reject(new Error(`data/${task}.js is missing`));
    document.head.append(script);
  });
}

function fill(select, options, chosen = "") {
  select.replaceChildren(
    ...options.map(([value, textContent]) =>
      element("option", { value, textContent, defaultSelected: value === chosen })),
  );
}

function sortOptions(data) {
  const options = [["", "place in the dataset"]];
  for (const metric of data.metrics) {
    if (metric.higher_is_better !== false) options.push([`<${metric.name}`, `${metric.name}, lowest first`]);
    if (metric.higher_is_better !== true) options.push([`>${metric.name}`, `${metric.name}, highest first`]);
  }
  options.push([">latency", "latency, slowest first"]);
  return options;
}

// Builds the controls that depend on the task.
function prepare(data) {
  fill(form.elements.model, [["", "all"], ...data.models.map((name) => [name, name])]);
  const options = sortOptions(data);
  const worst = options.map(([value]) => value).find((value) => value.slice(1) === data.worst_by);
  fill(form.elements.sort, options, worst);
  document.getElementById("slices").replaceChildren(
    ...Object.entries(data.slices).map(([axis, values]) => {
      const select = element("select", { name: `slice.${axis}` });
      fill(select, [["", "all"], ...values.map((value) => [value, value])]);
      return element("label", {}, `${axis} `, select);
    }),
  );
}

function matches(row, result, wanted) {
  const outcome = state.data.outcomes[result[1]];
  if (wanted.get("model") && state.data.models[result[0]] !== wanted.get("model")) return false;
  if (wanted.get("outcome") === "unanswered" ? outcome === "scored" : wanted.get("outcome") && outcome !== wanted.get("outcome")) {
    return false;
  }
  for (const axis of Object.keys(state.data.slices)) {
    const value = wanted.get(`slice.${axis}`);
    if (value && row[4][axis] !== value) return false;
  }
  const find = (wanted.get("find") || "").trim().toLowerCase();
  return !find || [row[2], row[0], row[3], result[2], result[3], result[7] || ""].join("\n").toLowerCase().includes(find);
}

// Samples without a score come first in every order by a metric: they are the failures.
function order(sort) {
  if (!sort) return null;
  const name = sort.slice(1);
  const sign = sort[0] === "<" ? 1 : -1;
  if (name === "latency") return ({ result: a }, { result: b }) => sign * (a[4] - b[4]);
  const place = state.data.metrics.findIndex((metric) => metric.name === name);
  const rank = (result) => -result[1];
  return ({ result: a }, { result: b }) => {
    if (a[1] !== b[1]) return rank(a) - rank(b);
    const [left, right] = [a[6][place] ?? null, b[6][place] ?? null];
    if (left === null || right === null) return (left === null) - (right === null);
    return sign * (left - right);
  };
}

function card(item, position) {
  const { row, result } = item;
  const data = state.data;
  const outcome = data.outcomes[result[1]];
  const sort = form.elements.sort.value.slice(1);
  const place = data.metrics.findIndex((metric) => metric.name === sort);
  const picture = row[1]
    ? element("img", { src: `images/${row[1]}`, alt: "", loading: "lazy", width: 160, height: 160 })
    : element("span", { className: "no-image", textContent: "no image" });
  const lines = [element("span", { className: "card-title", title: row[2], textContent: row[2] })];
  const value = sort === "latency" ? `${result[4]} ms` : result[6][place] ?? null;
  if (outcome !== "scored") lines.push(element("span", { className: `outcome ${outcome}`, textContent: outcome }));
  else if (value !== null) lines.push(element("strong", { textContent: value }));
  if (data.models.length > 1) lines.push(element("span", { className: "card-text", textContent: data.models[result[0]] }));
  const answer = [result[2], result[7]].filter(Boolean).join(", ");
  const text = outcome === "scored" ? `${answer} / true ${row[3]}` : result[3] || `true ${row[3]}`;
  lines.push(element("span", { className: "card-text", textContent: text }));
  if (result[8]) lines.push(element("span", { className: "card-text muted", textContent: `answer ${result[8] + 1}` }));
  const link = element("a", { className: "card", href: href(item) }, picture, ...lines);
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(position);
  });
  return element("li", {}, link);
}

const href = ({ row, result }) => `samples/${state.task}/${row[0]}.html#${result[5]}`;

function show() {
  const count = state.shown.length;
  const pages = Math.max(1, Math.ceil(count / PAGE_SIZE));
  state.page = Math.min(state.page, pages - 1);
  const start = state.page * PAGE_SIZE;
  const visible = state.shown.slice(start, start + PAGE_SIZE);
  document.getElementById("cards").replaceChildren(...visible.map((item, i) => card(item, start + i)));
  document.getElementById("status").textContent =
    `${count} ${count === 1 ? "result" : "results"}` + (pages > 1 ? `, page ${state.page + 1} of ${pages}` : "");
  document.querySelector(".pager").hidden = pages === 1;
  document.getElementById("before").disabled = state.page === 0;
  document.getElementById("after").disabled = state.page >= pages - 1;
}

function apply() {
  const wanted = new Map(new FormData(form));
  state.shown = [];
  for (const row of state.data.rows) {
    for (const result of row[5]) if (matches(row, result, wanted)) state.shown.push({ row, result });
  }
  const compare = order(wanted.get("sort"));
  if (compare) state.shown.sort(compare);
  const address = new URLSearchParams([...wanted].filter(([name, value]) => value || name === "sort"));
  history.replaceState(null, "", `#${address}`);
  show();
}

function open(position) {
  if (position < 0 || position >= state.shown.length) return;
  state.open = position;
  const address = href(state.shown[position]);
  document.getElementById("frame").src = address;
  document.getElementById("whole").href = address;
  document.getElementById("place").textContent =
    `${position + 1} of ${state.shown.length}: ${state.shown[position].row[2]}`;
  document.getElementById("previous").disabled = position === 0;
  document.getElementById("next").disabled = position === state.shown.length - 1;
  if (!viewer.open) viewer.showModal();
}

function turn(step) {
  state.page += step;
  show();
  document.getElementById("status").scrollIntoView();
}

async function start() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  form.reset();
  const tasks = form.elements.task;
  if ([...tasks.options].some((option) => option.value === wanted.get("task"))) tasks.value = wanted.get("task");
  const task = tasks.value;
  if (task !== state.task) {
    state.data = await load(task);
    state.task = task;
    prepare(state.data);
  }
  for (const [name, value] of wanted) {
    const control = form.elements[name];
    if (control instanceof HTMLElement && name !== "task") control.value = value;
  }
  state.page = 0;
  apply();
}

function begin() {
  start().catch((error) => {
    document.getElementById("status").textContent = `The samples cannot be shown: ${error.message}.`;
  });
}

form.addEventListener("input", (event) => {
  state.page = 0;
  if (event.target.name === "task") {
    history.replaceState(null, "", `#${new URLSearchParams({ task: event.target.value })}`);
    begin();
  } else apply();
});
form.addEventListener("submit", (event) => event.preventDefault());
window.addEventListener("hashchange", begin);
document.getElementById("before").addEventListener("click", () => turn(-1));
document.getElementById("after").addEventListener("click", () => turn(1));
document.getElementById("previous").addEventListener("click", () => open(state.open - 1));
document.getElementById("next").addEventListener("click", () => open(state.open + 1));
document.getElementById("close").addEventListener("click", () => viewer.close());
function press(key) {
  if (key === "ArrowLeft") open(state.open - 1);
  else if (key === "ArrowRight") open(state.open + 1);
}

viewer.addEventListener("keydown", (event) => press(event.key));
// The page in the frame hands on the keys that it is given.
window.addEventListener("message", (event) => {
  if (event.source !== document.getElementById("frame").contentWindow || !viewer.open) return;
  if (event.data.hookeKey === "Escape") viewer.close();
  else press(event.data.hookeKey);
});
if (form.elements.task.options.length) begin();
else document.getElementById("status").textContent = "This run has no tasks.";
