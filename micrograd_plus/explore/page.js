// A graph to step through. The table holds its nodes in the order of the tape; `rules` gives each operation's value and
// partial derivatives. From these, `computed` makes all numbers, and `show` writes those of the present step.

const table = JSON.parse(document.getElementById("table").textContent);
const { nodes, forms, outputs } = table;
const names = nodes.map((node) => node.name);
const place = new Map(names.map((name, i) => [name, i]));
const constant = (x) => typeof x === "string";
const isLeaf = (i) => nodes[i].form === undefined;
const ruleOf = (i) => table.rules[forms[nodes[i].form].rule];
const programOf = (i) => rules[forms[nodes[i].form].rule];
const leaves = names.map((_, i) => i).filter(isLeaf);
const edges = nodes.flatMap((node, user) => (node.of ?? []).flatMap((x, k) => constant(x) ? [] : [{ user, k, x }]));
edges.sort((a, b) => b.user - a.user || a.k - b.k); // as the backward pass goes: users first
const users = nodes.map(() => []);
for (const edge of edges) users[edge.x].push(edge);
const steps = nodes.length + edges.length;

// What is chosen. All of it is in the fragment of the page's address.

const given = leaves.filter((i) => nodes[i].tangent);
const first = Object.fromEntries(leaves.map((i) => [i, Number(nodes[i].data)]));
const chosen = {
  step: steps,
  inputs: { ...first },
  tangent: given.length === 1 && nodes[given[0]].tangent === 1 ? given[0] : given.length ? "given" : leaves[0],
  of: outputs.length > 1 ? "sum" : outputs[0],
  practice: "",
  check: false,
};
const seeds = () => chosen.of === "sum" ? outputs : [chosen.of];

// The numbers ---------------------------------------------------------------------------------------------------------

// Forwards. `moved` replaces the number of one node, whatever it is made of: that is how a bump is tried.
function forward(inputs, moved = -1, bump = 0) {
  const data = [], slopes = [], errors = [];
  for (let i = 0; i < nodes.length; i++) {
    const node = nodes[i];
    data[i] = null;
    slopes[i] = null;
    if (i === moved) data[i] = bump;
    else if (isLeaf(i)) data[i] = inputs[i];
    else if (!programOf(i)) {
      data[i] = Number(node.data);
      slopes[i] = node.slopes.map(Number);
    } else {
      const operands = node.of.map((x) => constant(x) ? Number(x) : data[x]);
      if (operands.includes(null)) continue;
      try {
        [data[i], ...slopes[i]] = programOf(i)(...operands);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        errors[i] = error.message;
      }
    }
  }
  return { data, slopes, errors };
}

function tangents({ data, slopes }) {
  const tangent = [];
  for (let i = 0; i < nodes.length; i++) {
    if (isLeaf(i)) tangent[i] = chosen.tangent === "given" ? Number(nodes[i].tangent ?? 0) : Number(i === chosen.tangent);
    else if (data[i] === null) tangent[i] = null;
    else {
      tangent[i] = 0;
      nodes[i].of.forEach((x, k) => { if (!constant(x)) tangent[i] += times(tangent[x], slopes[i][k]); });
    }
  }
  return tangent;
}

// Backwards over the first `count` edges. What nothing has reached yet is null.
function backward({ data, slopes }, count) {
  const grad = nodes.map(() => null), shares = [];
  if (count > 0 || !edges.length) {
    for (const i of seeds()) if (data[i] !== null) grad[i] = (grad[i] ?? 0) + 1;
  }
  for (let e = 0; e < count; e++) {
    const { user, k, x } = edges[e];
    if (data[user] === null || (grad[user] === null && seeds().some((i) => data[i] === null))) continue;
    shares[e] = times(grad[user] ?? 0, slopes[user][k]);
    grad[x] = (grad[x] ?? 0) + shares[e];
  }
  return { grad, shares };
}

let now; // all numbers, up to the end
function compute() {
  now = forward(chosen.inputs);
  now.tangent = tangents(now);
  Object.assign(now, backward(now, edges.length));
}

// The numbers at a step: those of the nodes before it, and the gradients that the edges so far have brought.
function at(step) {
  const { grad, shares } = backward(now, Math.max(step - nodes.length, 0));
  const known = (numbers) => numbers.map((x, i) => i < step ? x : null);
  const blank = step < nodes.length || (!edges.length && step < steps);
  return { data: known(now.data), tangent: known(now.tangent), grad: blank ? nodes.map(() => null) : grad, shares };
}

const result = (data) => seeds().reduce((sum, i) => sum === null || data[i] === null ? null : sum + data[i], 0);

// How numbers and formulas are written --------------------------------------------------------------------------------

// As Python's format(x, ".4g"), which is how the picture was laid out.
function digits(x, count = 4) {
  if (x === null || x === undefined) return "";
  if (!Number.isFinite(x)) return x !== x ? "nan" : x > 0 ? "inf" : "-inf";
  if (x === 0) return "0";
  const [mantissa, exponent] = x.toExponential(count - 1).split("e");
  const short = (text) => text.includes(".") ? text.replace(/\.?0+$/, "") : text;
  if (exponent >= -4 && exponent < count) return short(x.toFixed(Math.max(count - 1 - exponent, 0)));
  return `${short(mantissa)}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
}

const minus = (text) => text.replaceAll("-", "−");
const number = (x, count) => x === null || x === undefined ? "?" : minus(digits(x, count));
const factor = (x) => number(x).startsWith("−") ? `(${number(x)})` : number(x);
const grouped = (text) => /[ −]/.test(text.replace(/\([^()]*\)|\[[^[\]]*\]/g, "")) ? `(${text})` : text;
const dotted = (name) => `${name[0]}\u0307${name.slice(1)}`.normalize("NFC");
const target = () => chosen.of === "sum" ? "Σ" : names[chosen.of];
const gradient = (i) => `∂${target()}/∂${names[i]}`;
const cut = (text) => text.length > 160 ? `${text.slice(0, 150)} …` : text;

// A form's text, such as "{0} * {1}", with these operands; the sign of an operator is told from that of a number.
function filled(text, operands) {
  const infix = !text.includes("(");
  return text.replace(/ - |\{(\d+)\}/g, (part, k) => {
    if (k === undefined) return " − ";
    return infix && /^[-−]/.test(operands[k]) && text !== part ? `(${operands[k]})` : operands[k];
  });
}

const operandNames = (i) => nodes[i].of.map((x) => constant(x) ? number(Number(x)) : names[x]);
const operandNumbers = (i, data) => nodes[i].of.map((x) => number(constant(x) ? Number(x) : data[x]));
const written = (i) => filled(forms[nodes[i].form].text, operandNames(i));
const local = ({ user, x }) => `∂${names[user]}/∂${names[x]}`;
const DOT = " · ";

function localFormula({ user, k }) {
  const text = forms[nodes[user].form].partials[k];
  return text ? minus(filled(text, operandNames(user))) : "";
}

// What a choice does at a kink, in words.
function side(i, data) {
  const [x, y] = nodes[i].of.map((operand) => constant(operand) ? Number(operand) : data[operand]);
  const [left, right] = operandNames(i);
  const sign = x > 0 ? `${left} > 0` : x < 0 ? `${left} < 0` : `${left} = 0, at the kink`;
  const larger = x > y ? [left, right] : [right, left];
  switch (ruleOf(i).name) {
    case "relu": return x > 0 ? `${sign}: it passes.` : `${sign}: it is cut off, and so is its gradient.`;
    case "leaky_relu": case "elu": return `${sign}: the ${x > 0 ? "straight" : "lower"} side is taken.`;
    case "abs": return x ? `${sign}: the ${x > 0 ? "rising" : "falling"} side is taken.` : `${sign}: the slope is taken as 0.`;
    case "maximum": case "minimum":
      if (x === y) return `${left} = ${right}, a tie: each gets half of the slope.`;
      return `It is ${ruleOf(i).name === "maximum" ? larger[0] : larger[1]} that counts; the other gets no gradient.`;
    case "sign": case "step": case "floor": case "ceil": return "It is flat, with jumps: its slope is 0 everywhere.";
    case "mod": return "It jumps where the division comes out even; the slope is that between the jumps.";
    default: return "";
  }
}
const choosing = new Set(["relu", "leaky_relu", "elu", "abs", "maximum", "minimum", "sign", "step", "floor", "ceil", "mod"]);

// Elements ------------------------------------------------------------------------------------------------------------

const $ = (id) => document.getElementById(id);
const svgNames = new Set(["svg", "path", "line", "circle", "text", "polyline"]);

function element(tag, attributes = {}, ...children) {
  const made = svgNames.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

// What is the same already is not touched: the browser would style it anew.
function write(target, text) {
  if (target.textContent !== text) target.textContent = text;
}
function put(target, attribute, value) {
  if (target.getAttribute(attribute) !== value) target.setAttribute(attribute, value);
}

const lit = new Map(); // by class, what has it
function light(name, ...targets) {
  for (const target of lit.get(name) ?? []) target.classList.remove(name);
  lit.set(name, targets.filter(Boolean));
  for (const target of lit.get(name)) target.classList.add(name);
}

// The drawing ---------------------------------------------------------------------------------------------------------

const drawing = document.querySelector("#graph > svg");
const cells = nodes.map(() => ({}));
const arrows = new Map([...drawing.querySelectorAll("[data-edge]")].map((cell) => [cell.dataset.edge, cell]));
const labels = edges.map(({ user, k }) => arrows.get(`${names[user]}:${k}`));
const joints = [...drawing.querySelectorAll("[data-through]")].map((cell) => {
  const [from, to] = table.through[cell.dataset.through];
  return { cell, from, to };
});
const boxes = new Map();
const tints = nodes.map(() => null);
const links = [...drawing.querySelectorAll("g.edge")].map((group) => {
  return { group, from: Number(group.dataset.from), to: Number(group.dataset.to) };
});

for (const group of drawing.querySelectorAll("g.node[data-box]")) {
  boxes.set(Number(group.dataset.box), group);
  const inside = [...group.querySelectorAll("[data-node]")];
  const owners = new Set(inside.map((cell) => place.get(cell.dataset.node)));
  for (const cell of inside) cells[place.get(cell.dataset.node)][cell.dataset.field] = cell;
  const shape = group.querySelector("polygon, path");
  shape.classList.add("paper");
  group.setAttribute("tabindex", "0");
  group.setAttribute("role", "button");
  if (owners.size === 1) {
    const [i] = owners;
    const tint = shape.cloneNode();
    tint.setAttribute("class", "tint");
    shape.after(tint);
    tints[i] = tint;
    const right = Math.max(...[...(shape.getAttribute("points") ?? shape.getAttribute("d")).matchAll(/(-?[\d.]+),/g)].map((m) => m[1]));
    for (const cell of inside) { // numbers stand right, below each other
      cell.parentNode.setAttribute("text-anchor", "end");
      cell.parentNode.setAttribute("x", right - 9);
    }
    group.classList.toggle("input", isLeaf(i));
    group.classList.toggle("output", outputs.includes(i));
  }
  group.dataset.nodes = [...owners].join(" ");
  const pick = (event) => open(Number((event.target.dataset?.node && place.get(event.target.dataset.node)) ?? [...owners][0]));
  group.addEventListener("click", pick);
  group.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    pick(event);
    $("card").focus(); // a screen reader goes on there; Escape leads back
  });
  for (const [type, on] of [["pointerenter", true], ["focus", true], ["pointerleave", false], ["blur", false]]) {
    group.addEventListener(type, () => mark(on ? Number(group.dataset.box) : null));
  }
}
for (const polygon of drawing.querySelectorAll("g.graph > polygon")) polygon.classList.add("ground");

// What a box was made of, and what uses it, stands out; all else steps back.
function mark(box) {
  drawing.classList.toggle("marking", box !== null);
  const into = links.filter(({ to }) => to === box), out = links.filter(({ from }) => from === box);
  light("marked", boxes.get(box));
  light("made-of", ...into.flatMap(({ group, from }) => [group, boxes.get(from)]));
  light("used-by", ...out.flatMap(({ group, to }) => [group, boxes.get(to)]));
}

// The derivative of a folded module's result with respect to what it was given.
function through(from, to) {
  const slope = new Map([[from, 1]]);
  let total = 0;
  for (let i = from; i > to; i--) {
    if (!slope.has(i) || isLeaf(i) || (i !== from && table.homes[i] !== table.homes[from])) continue;
    if (now.slopes[i] === null) return null;
    nodes[i].of.forEach((x, k) => {
      if (constant(x)) return;
      const share = times(slope.get(i), now.slopes[i][k]);
      if (x === to) total += share;
      else slope.set(x, (slope.get(x) ?? 0) + share);
    });
  }
  return total;
}

function paint(view) {
  let largest = 0;
  for (const g of now.grad) if (g !== null && Number.isFinite(g)) largest = Math.max(largest, Math.abs(g));
  for (let i = 0; i < nodes.length; i++) {
    const cell = cells[i];
    if (!cell.data) continue;
    write(cell.data, digits(view.data[i]) || (i < chosen.step && now.errors[i] ? "error" : ""));
    write(cell.tangent, digits(view.tangent[i]));
    const verdict = chosen.check && view.grad[i] !== null && differences.has(i) ? differences.get(i).agrees ? "✓" : "✗" : "";
    write(cell.grad, digits(view.grad[i]));
    put(cell.grad.parentNode, "data-verdict", verdict);
    const tint = tints[i], g = view.grad[i];
    if (tint) {
      const share = g === null || !g ? 0 : !Number.isFinite(g) ? 1 : Math.sqrt(Math.abs(g) / largest);
      put(tint, "class", `tint ${g > 0 ? "above" : g < 0 ? "below" : "none"}`);
      put(tint, "fill-opacity", g !== g ? "0.5" : share.toFixed(3));
      boxes.get(table.homes[i]).classList.toggle("error", i < chosen.step && Boolean(now.errors[i]));
    }
  }
  edges.forEach(({ user, k }, e) => {
    const cell = labels[e];
    if (!cell) return;
    const slope = user < chosen.step && now.slopes[user] && now.data[user] !== null ? now.slopes[user][k] : null;
    write(cell, digits(slope));
    cell.parentNode.classList.toggle("blank", slope === null);
  });
  for (const { cell, from, to } of joints) {
    const slope = from < chosen.step ? through(from, to) : null;
    write(cell, digits(slope));
    cell.parentNode.classList.toggle("blank", slope === null);
  }
  const step = chosen.step - 1, boxOf = (i) => boxes.get(table.homes[i]);
  if (step < 0) { light("now"); light("near"); }
  else if (step < nodes.length) {
    const into = links.filter(({ to }) => to === table.homes[step]).map(({ group }) => group);
    light("near", ...into, ...(nodes[step].of ?? []).filter((x) => !constant(x)).map(boxOf));
    light("now", boxOf(step));
  } else {
    const { user, x } = edges[step - nodes.length];
    light("near", boxOf(user));
    light("now", boxOf(x), labels[step - nodes.length]?.closest("g"));
  }
}

// Zoom and pan: the view is a part of the drawing.

const whole = drawing.getAttribute("viewBox").split(" ").map(Number);
let view = [...whole];
function look(x, y, w, h) {
  view = [x, y, w, h];
  drawing.setAttribute("viewBox", view.map((z) => z.toFixed(2)).join(" "));
  afar();
}
// Of a large graph, texts smaller than two pixels are left out: nobody reads them, and to lay out thousands takes long.
function afar() {
  if (nodes.length < 300) return;
  const box = drawing.getBoundingClientRect();
  drawing.classList.toggle("afar", 13 * Math.min(box.width / view[2], box.height / view[3]) < 2);
}
window.addEventListener("resize", afar);
function zoom(by, clientX, clientY) {
  const box = drawing.getBoundingClientRect(), scale = Math.max(view[2] / box.width, view[3] / box.height);
  const x = view[0] + view[2] / 2 + ((clientX ?? box.left + box.width / 2) - box.left - box.width / 2) * scale;
  const y = view[1] + view[3] / 2 + ((clientY ?? box.top + box.height / 2) - box.top - box.height / 2) * scale;
  const share = Math.min(Math.max(by, whole[2] / 50 / view[2]), whole[2] * 3 / view[2]);
  look(x + (view[0] - x) * share, y + (view[1] - y) * share, view[2] * share, view[3] * share);
}
function pan(dx, dy) { // in pixels
  const box = drawing.getBoundingClientRect(), scale = Math.max(view[2] / box.width, view[3] / box.height);
  look(view[0] - dx * scale, view[1] - dy * scale, view[2], view[3]);
}
const fit = () => look(...whole);
const fingers = new Map();
let moved = 0;
drawing.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoom(Math.exp(Math.max(-100, Math.min(100, event.deltaY)) / 300), event.clientX, event.clientY);
}, { passive: false });
drawing.addEventListener("pointerdown", (event) => { fingers.set(event.pointerId, event); moved = 0; });
window.addEventListener("pointermove", (event) => {
  const before = fingers.get(event.pointerId);
  if (!before) return;
  const [dx, dy] = [event.clientX - before.clientX, event.clientY - before.clientY];
  moved += Math.abs(dx) + Math.abs(dy);
  if (fingers.size === 1 && moved > 4) pan(dx, event.pointerType === "touch" ? 0 : dy); // a finger moves the page up and down
  if (fingers.size === 2) {
    const other = [...fingers.values()].find((finger) => finger.pointerId !== event.pointerId);
    const apart = (a) => Math.hypot(a.clientX - other.clientX, a.clientY - other.clientY);
    zoom(apart(before) / Math.max(apart(event), 1), (event.clientX + other.clientX) / 2, (event.clientY + other.clientY) / 2);
    pan(dx / 2, dy / 2);
  }
  fingers.set(event.pointerId, event);
});
for (const type of ["pointerup", "pointercancel"]) window.addEventListener(type, (event) => fingers.delete(event.pointerId));
drawing.addEventListener("click", (event) => { if (moved > 4) event.stopPropagation(); }, true);

// If one has come closer, the present step stays in view.
function follow(i) {
  const box = boxes.get(table.homes[i]);
  if (!box || view[2] > whole[2] * 0.98) return;
  const { left, right, top, bottom } = box.getBoundingClientRect(), frame = drawing.getBoundingClientRect();
  const dx = left < frame.left ? frame.left - left + 20 : right > frame.right ? frame.right - right - 20 : 0;
  const dy = top < frame.top ? frame.top - top + 20 : bottom > frame.bottom ? frame.bottom - bottom - 20 : 0;
  if (dx || dy) pan(dx, dy);
}

// The sentence of a step ----------------------------------------------------------------------------------------------

// Of a step: what happens, as a sentence; the formulas; and, for practice, the question and its answer.
function told(step) {
  if (step === 0) {
    return { what: "Nothing has been computed yet. First the numbers flow forwards, from the inputs to the result; then gradients flow back.", lines: [] };
  }
  return step <= nodes.length ? toldForward(step - 1) : toldBackward(step - 1 - nodes.length);
}

function toldForward(i) {
  const { data, tangent, errors } = now;
  const name = names[i];
  if (isLeaf(i)) {
    const speed = tangent[i] ? `, and carries the tangent ${number(tangent[i])}` : "";
    return { what: `The input ${name} is given${speed}.`, lines: [`${name} = ${number(data[i])}`, `${dotted(name)} = ${number(tangent[i])}`] };
  }
  if (errors[i]) {
    const numbers = filled(forms[nodes[i].form].text, operandNumbers(i, data));
    return { what: `${name} = ${cut(written(i))} has no value here: ${minus(errors[i])}. What follows from it stays blank.`, lines: [`${cut(numbers)} is not a number`] };
  }
  if (data[i] === null) return { what: `${name} cannot be computed: what it is made of has no value.`, lines: [] };
  const recorded = programOf(i) ? "" : " This operation has no JavaScript: its number is the recorded one.";
  const terms = nodes[i].of.flatMap((x, k) => constant(x) ? [] : [{ slope: now.slopes[i][k], x }]);
  const sum = (part) => cut(terms.map(part).join(" + "));
  const rule = sum(({ slope, x }, n) => `${n ? factor(slope) : number(slope)}${DOT}${dotted(names[x])}`);
  const sums = sum(({ slope, x }, n) => `${n ? factor(slope) : number(slope)}${DOT}${factor(tangent[x])}`);
  const kinds = [...new Set(terms.map(({ x }) => names[x]))];
  return {
    what: `${name} is computed from ${cut(kinds.join(" and "))}. ${side(i, data)}${recorded}`.trim(),
    lines: [
      `${name} = ${cut(written(i))} = ${cut(filled(forms[nodes[i].form].text, operandNumbers(i, data)))} = ${number(data[i])}`,
      `${dotted(name)} = ${rule} = ${sums} = ${number(tangent[i])}`,
    ],
    ask: { question: `${name} = ${cut(written(i))} =`, answer: data[i], rule: `${name} = ${cut(written(i))}, with ${nodes[i].of.filter((x) => !constant(x)).map((x) => `${names[x]} = ${number(data[x])}`).join(", ")}` },
  };
}

function toldBackward(e) {
  const { user, k, x } = edges[e];
  const { grad, shares } = backward(now, e + 1);
  const start = e === 0 ? `Now backwards, from ${gradient(seeds()[0])} = 1. ` : "";
  if (shares[e] === undefined) return { what: `No gradient comes back to ${names[x]}: ${target()} has no value.`, lines: [] };
  const arrived = users[x].filter((edge) => edges.indexOf(edge) <= e).length;
  const again = users[x].length > 1 ? ` It is used ${users[x].length} times; this is number ${arrived}, and the shares add up.` : "";
  const slope = now.slopes[user][k];
  const formula = localFormula(edges[e]);
  const numeric = formula && Number.isFinite(Number(formula.replace("−", "-")));
  const partial = !formula ? local(edges[e]) : numeric ? factor(slope) : grouped(formula);
  const line = `${gradient(x)} += ${gradient(user)}${DOT}${partial} = ${number(grad[user])}${DOT}${factor(slope)} = ${number(shares[e])}, so far ${number(grad[x])}`;
  return {
    what: `${start}${names[user]} passes its gradient back to ${names[x]}, times the local derivative ${local(edges[e])}.${again}${e === edges.length - 1 ? " That was the last step: every gradient is there." : ""}`,
    lines: [line],
    ask: { question: `${gradient(user)}${DOT}${local(edges[e])} =`, answer: shares[e], rule: `the gradient of ${names[user]}, ${number(grad[user])}, times ${local(edges[e])} = ${formula && !numeric ? `${formula} = ` : ""}${number(slope)}` },
  };
}

// Practice: the step that comes next is asked for, and nothing of it is shown.

let score = { right: 0, shown: 0 };
function asked() {
  if (!chosen.practice || chosen.step >= steps) return null;
  const pass = chosen.step < nodes.length ? "forward" : "backward";
  return chosen.practice === pass || chosen.practice === "both" ? told(chosen.step + 1).ask ?? null : null;
}

function parsed(text) {
  const [above, below = "1", ...rest] = minus(text).replaceAll("−", "-").replace(",", ".").split("/");
  return rest.length || !above.trim() ? NaN : Number(above) / Number(below);
}

function judge(event) {
  event.preventDefault();
  const ask = asked(), guess = parsed($("guess").value);
  if (!ask) return;
  if (guess !== guess) write($("verdict"), "Type a number.");
  else if (Math.abs(guess - ask.answer) <= 5e-3 * Math.max(Math.abs(ask.answer), 1e-3) || guess === ask.answer) {
    score.right++;
    advance(`Right: ${number(ask.answer)}.`);
  } else write($("verdict"), `Not ${number(guess)}. It is ${ask.rule}.`);
}

function advance(verdict) {
  $("guess").value = "";
  go(chosen.step + 1);
  while (chosen.practice && chosen.step < steps && !asked()) go(chosen.step + 1);
  write($("verdict"), verdict);
  if (asked()) $("guess").focus();
}

// Show ----------------------------------------------------------------------------------------------------------------

function show() {
  const current = at(chosen.step), ask = asked();
  paint(current);
  const { what, lines } = told(chosen.step);
  const pass = chosen.step === 0 ? "" : chosen.step <= nodes.length ? "Forward" : "Backward";
  const head = element("p", { class: "what" }, element("b", {}, `${pass || "Before the first step"}: `), what);
  const wrong = now.errors.findIndex((message, i) => message && i < chosen.step - 1); // also when its step is over
  const error = wrong >= 0 ? [element("p", { class: "wrong" }, toldForward(wrong).what)] : [];
  $("step").replaceChildren(head, ...lines.map((line) => element("p", { class: "formula" }, line)), ...error);
  $("scrub").value = chosen.step;
  $("scrub").setAttribute("aria-valuetext", `step ${chosen.step} of ${steps}`);
  write($("count"), `${chosen.step} / ${steps}`);
  $("back").disabled = $("restart").disabled = chosen.step === 0;
  $("next").disabled = chosen.step === steps;
  $("forward").disabled = chosen.step >= nodes.length;
  $("backward").disabled = chosen.step === steps;
  $("answer").hidden = !ask;
  write($("verdict"), "");
  if (ask) write($("question"), ask.question);
  write($("score"), chosen.practice ? `${score.right} right, ${score.shown} shown` : "");
  showInputs(current);
  showModes(current);
  showDifferences(current);
  showCard(current);
  remember();
}

const present = () => chosen.step <= nodes.length ? Math.max(chosen.step - 1, 0) : edges[chosen.step - nodes.length - 1].x;
function go(step) {
  chosen.step = Math.min(Math.max(Math.round(step) || 0, 0), steps);
  show();
  follow(present());
}

let playing = null;
function play(on) {
  clearTimeout(playing);
  playing = null;
  if (on && chosen.step === steps) go(0);
  if (on && !asked()) playing = setTimeout(() => { go(chosen.step + 1); play(chosen.step < steps); }, $("speed").value);
  write($("play"), playing ? "Stop" : "Play");
  $("play").setAttribute("aria-pressed", String(Boolean(playing)));
}

// By hand, a step that is asked for is not passed over.
function walk(step) {
  play(false);
  if (step > chosen.step && asked()) {
    write($("verdict"), "Type the number, or press Show me.");
    $("guess").focus();
  } else go(step);
}

$("restart").onclick = () => walk(0);
$("back").onclick = () => walk(chosen.step - 1);
$("next").onclick = () => walk(chosen.step + 1);
$("forward").onclick = () => walk(nodes.length);
$("backward").onclick = () => walk(steps);
$("play").onclick = () => play(!playing);
$("scrub").oninput = () => walk(Number($("scrub").value));
$("closer").onclick = () => zoom(0.8);
$("farther").onclick = () => zoom(1.25);
$("fit").onclick = fit;
$("answer").onsubmit = judge;
$("reveal").onclick = () => { const { answer } = asked(); score.shown++; advance(`It is ${number(answer)}.`); };
$("practice").onchange = () => {
  chosen.practice = $("practice").value;
  score = { right: 0, shown: 0 };
  if (chosen.practice) {
    go(chosen.practice === "backward" ? nodes.length : 0);
    while (chosen.step < steps && !asked()) go(chosen.step + 1);
    if (asked()) $("guess").focus();
  } else show();
};

const keys = {
  ArrowRight: () => walk(chosen.step + 1), ArrowLeft: () => walk(chosen.step - 1), Home: () => walk(0), End: () => walk(steps),
  f: () => walk(nodes.length), b: () => walk(steps), " ": () => play(!playing),
  "+": () => zoom(0.8), "=": () => zoom(0.8), "-": () => zoom(1.25), 0: fit,
};
const shifted = { ArrowRight: [-40, 0], ArrowLeft: [40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  if (event.key === " " && event.target.closest("button, summary")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.shiftKey && shifted[key]) pan(...shifted[key]);
  else if (keys[key]) keys[key]();
  else return;
  event.preventDefault();
});

// The inputs ----------------------------------------------------------------------------------------------------------

const reason = leaves.map(() => "");
{
  const blocked = nodes.map(() => "");
  for (let i = nodes.length - 1; i >= 0; i--) {
    if (!isLeaf(i) && !programOf(i)) blocked[i] ||= ruleOf(i).name;
    for (const x of nodes[i].of ?? []) if (!constant(x) && blocked[i]) blocked[x] ||= blocked[i];
  }
  leaves.forEach((i, n) => { reason[n] = blocked[i]; });
}
const lockedBy = (i) => reason[leaves.indexOf(i)];
const range = Object.fromEntries(leaves.map((i) => [i, around(first[i])]));

function around(x) {
  const wide = Number.isFinite(x) ? Math.max(2, 2 * Math.abs(x)) : 2;
  const unit = 10 ** Math.floor(Math.log10(wide));
  const half = Math.ceil(wide / unit) * unit, middle = Number.isFinite(x) ? Math.round(x / unit) * unit : 0;
  return [middle - half, middle + half];
}

const controls = {};
function offer(i) {
  const name = names[i], locked = Boolean(lockedBy(i));
  const slider = element("input", { type: "range", step: "any", "aria-label": `${name}, slider`, title: `Move ${name}`, disabled: locked });
  const field = element("input", { type: "number", step: "any", "aria-label": name, title: `Type a number for ${name}`, disabled: locked });
  const button = element("button", { class: "name", title: `Why? Show the card of ${name}`, onclick: () => open(i) }, name);
  const grad = element("output", { title: `The gradient, ∂/∂${name}` });
  slider.addEventListener("input", () => move(i, Number(slider.value), slider));
  field.addEventListener("input", () => { if (Number.isFinite(field.valueAsNumber)) move(i, field.valueAsNumber, field); });
  field.addEventListener("change", () => show());
  controls[i] = { slider, field, grad };
  $("sliders").append(element("div", { class: name.length > 10 ? "slider long" : "slider" }, button, slider, field, grad));
}
const AT_FIRST = 40; // to make many controls takes the browser long
leaves.slice(0, AT_FIRST).forEach(offer);
if (leaves.length > AT_FIRST) {
  $("all").hidden = false;
  write($("all"), `All ${leaves.length} inputs`);
  $("all").onclick = () => { $("all").hidden = true; leaves.slice(AT_FIRST).forEach(offer); show(); };
}
if (reason.some(Boolean)) {
  const which = [...new Set(reason.filter(Boolean))].join(", ");
  $("locked").hidden = false;
  write($("locked"), `Some inputs cannot be moved: ${which} is an operation of one's own that has no JavaScript. It keeps the number that was recorded.`);
}
if (nodes.some((_, i) => !isLeaf(i) && choosing.has(ruleOf(i).name))) {
  $("path").hidden = false;
  write($("path"), "Some operations choose by the sign of a number. Those choices move with the sliders; a branch of the program itself, an if in Python, stays as it was taken.");
}

const short = (x) => Number(x.toPrecision(5)); // a field has little room
function showInputs(current) {
  for (const [i, { slider, field, grad }] of Object.entries(controls)) {
    const x = chosen.inputs[i];
    if (x < range[i][0]) range[i][0] = x;
    if (x > range[i][1]) range[i][1] = x;
    [slider.min, slider.max] = range[i];
    if (Number(slider.value) !== x) slider.value = x;
    if (document.activeElement !== field && field.valueAsNumber !== short(x)) field.value = short(x);
    write(grad, current.grad[i] === null ? "" : `∂ ${number(current.grad[i])}`);
  }
}

function move(i, x) {
  chosen.inputs[i] = x;
  compute();
  show();
}

$("reset").onclick = () => { chosen.inputs = { ...first }; losses.length = 0; compute(); show(); };

// Both modes, and the check by a bump ---------------------------------------------------------------------------------

if (given.length && chosen.tangent === "given") $("tangent").append(element("option", { value: "given" }, "as in Python"));
for (const i of leaves) $("tangent").append(element("option", { value: i }, names[i]));
if (outputs.length > 1) {
  $("of").append(element("option", { value: "sum" }, "the sum of all results"));
  for (const i of outputs) $("of").append(element("option", { value: i }, names[i]));
}
$("outputs").hidden = outputs.length === 1;
$("tangent").onchange = () => { chosen.tangent = $("tangent").value === "given" ? "given" : Number($("tangent").value); compute(); show(); };
$("of").onchange = () => { chosen.of = $("of").value === "sum" ? "sum" : Number($("of").value); compute(); show(); };

function showModes(current) {
  $("tangent").value = chosen.tangent;
  if (outputs.length > 1) $("of").value = chosen.of;
  const moving = leaves.filter((i) => now.tangent[i] !== 0);
  const forwards = seeds().reduce((sum, i) => sum === null || current.tangent[i] === null ? null : sum + current.tangent[i], 0);
  const complete = chosen.step === steps && result(now.data) !== null;
  const reverse = complete ? moving.reduce((sum, i) => sum + times(now.grad[i] ?? 0, now.tangent[i]), 0) : null;
  const agree = reverse !== null && (Math.abs(reverse - forwards) <= 1e-9 * (1 + Math.abs(forwards)) || (reverse !== reverse && forwards !== forwards));
  const terms = moving.slice(0, 4).map((i, n) => `${n ? factor(complete ? now.grad[i] : null) : number(complete ? now.grad[i] : null)}${DOT}${factor(now.tangent[i])}`);
  const sum = terms.join(" + ") + (moving.length > 4 ? " + …" : "");
  $("check-modes").replaceChildren(element("table", {},
    element("tr", {}, element("th", { scope: "row" }, "forward: the tangent of the result"), element("td", {}, number(forwards))),
    element("tr", {}, element("th", { scope: "row" }, `reverse: Σ grad · tangent = ${sum}`), element("td", {}, number(reverse))),
    element("tr", {}, element("th", { scope: "row" }, reverse === null ? "" : agree ? "They agree ✓" : "They differ ✗"), element("td"))));
}

let differences = new Map();
function bumped(i) {
  const x = now.data[i], centre = result(now.data), exact = now.grad[i];
  if (x === null || centre === null || !Number.isFinite(x)) return { slope: null, agrees: true, why: "" };
  const h = 6e-6 * Math.max(1, Math.abs(x));
  const [low, high] = [x - h, x + h].map((z) => result(forward(chosen.inputs, i, z).data));
  if (low === null || high === null) return { slope: null, agrees: false, why: "the edge of the domain: there is no value on one side" };
  const slope = (high - low) / (2 * h), left = (centre - low) / h, right = (high - centre) / h;
  const noise = 1e-4 * Math.max(1e-3, Math.abs(exact), Math.abs(slope)) + 4e-11 * Math.max(1, Math.abs(centre)) / h * 1e-5;
  const agrees = Math.abs(slope - exact) <= noise || (slope !== slope && exact !== exact);
  const bends = Math.abs(right - left) > 1e-2 * Math.max(1e-3, Math.abs(left), Math.abs(right));
  return { slope, agrees, why: agrees ? "" : bends ? `a kink or a jump: ${number(left)} on the left, ${number(right)} on the right` : "too steep, or too curved, for so large a bump" };
}

function showDifferences(current) {
  differences = new Map();
  $("check").checked = chosen.check;
  if (!chosen.check) return $("differences").replaceChildren();
  const complete = chosen.step === steps;
  const tried = nodes.length <= 150 ? names.map((_, i) => i) : leaves.slice(0, 150);
  for (const i of tried) if (!(nodes[i].form !== undefined && !programOf(i)) && !users[i].some(({ user }) => !programOf(user))) differences.set(i, bumped(i));
  const rows = [...differences].map(([i, { slope, agrees, why }]) => element("tr", { class: agrees ? "" : "wrong" },
    element("th", { scope: "row" }, names[i]), element("td", {}, complete ? number(current.grad[i], 6) : ""), element("td", {}, slope === null ? "-" : number(slope, 6)),
    element("td", {}, agrees ? "✓" : `✗ ${why}`)));
  const heads = ["", "gradient", "by a bump", ""].map((text) => element("th", { scope: "col" }, text));
  $("differences").replaceChildren(element("table", {}, element("tr", {}, ...heads), ...rows));
  paint(current);
}
$("check").onchange = () => { chosen.check = $("check").checked; show(); };

// Learn ---------------------------------------------------------------------------------------------------------------

const losses = [];
const parameters = leaves.filter((i) => nodes[i].learns);
const learners = new Set((parameters.length ? parameters : leaves.slice(0, 1)).filter((i) => !lockedBy(i)));
$("learn").addEventListener("toggle", () => {
  for (const i of leaves) {
    const box = element("input", { type: "checkbox", disabled: Boolean(lockedBy(i)) });
    box.checked = learners.has(i);
    box.onchange = () => box.checked ? learners.add(i) : learners.delete(i);
    $("learners").append(element("label", { title: `Whether ${names[i]} learns` }, box, names[i]));
  }
}, { once: true });

function descend() {
  const rate = $("rate").valueAsNumber, before = result(now.data);
  const first = [...learners][0];
  if (!(rate >= 0) || !learners.size || before === null) {
    write($("learnt"), !learners.size ? "Choose an input that learns." : before === null ? "The result has no value." : "The rate is a number from 0 up.");
    return false;
  }
  if (![...learners].every((i) => Number.isFinite(now.grad[i]))) {
    write($("learnt"), "A gradient is infinite or nan: there is no step.");
    return false;
  }
  const told = `${names[first]} ← ${number(now.data[first])} − ${number(rate)}${DOT}${factor(now.grad[first])}`;
  for (const i of learners) chosen.inputs[i] -= rate * now.grad[i];
  if (!losses.length) losses.push(before);
  chosen.step = steps;
  compute();
  show();
  const after = result(now.data);
  losses.push(after);
  write($("learnt"), `${told} = ${number(now.data[first])}. The result went from ${number(before)} to ${after === null ? "no value" : number(after)}.`);
  showLosses();
  return after !== null;
}

function showLosses() {
  const shown = losses.slice(-200).filter(Number.isFinite);
  const [low, high] = [Math.min(...shown), Math.max(...shown)];
  const points = shown.map((y, n) => `${(4 + n / Math.max(shown.length - 1, 1) * 292).toFixed(1)},${(74 - (y - low) / (high - low || 1) * 66).toFixed(1)}`);
  $("loss").replaceChildren(element("polyline", { points: points.join(" "), class: "curve" }));
}

let training = null;
function train(on) {
  clearTimeout(training);
  training = on && descend() ? setTimeout(() => train(true), 80) : null;
  write($("train"), training ? "Stop" : "Learn");
  $("train").setAttribute("aria-pressed", String(Boolean(training)));
}
$("descend").onclick = () => { train(false); descend(); };
$("train").onclick = () => train(!training);

// The card ------------------------------------------------------------------------------------------------------------

let card = null;
function open(i) {
  card = i;
  showCard(at(chosen.step));
  const section = $("card");
  if (section.getBoundingClientRect().top > window.innerHeight || section.getBoundingClientRect().bottom < 0) section.scrollIntoView({ block: "nearest" });
}

const link = (i) => element("button", { class: "link", title: `Show the card of ${names[i]}`, onclick: () => { open(i); $("card").focus(); } }, names[i]);
$("card").addEventListener("keydown", (event) => { if (event.key === "Escape" && card !== null) boxes.get(table.homes[card])?.focus(); });

function showCard(current) {
  if (card === null) return;
  const i = card, leaf = isLeaf(i), hidden = chosen.practice && chosen.step < steps;
  light("chosen", boxes.get(table.homes[i]));
  write($("card-head"), names[i]);
  const parts = [];
  const kind = leaf ? nodes[i].learns ? "A parameter" : "An input" : `= ${cut(written(i))}`;
  parts.push(element("p", {}, `${kind}${outputs.includes(i) ? ", the result" : ""}. Its number is ${number(current.data[i], 8)}, its tangent ${number(current.tangent[i], 8)}.`));
  if (i < chosen.step && now.errors[i]) parts.push(element("p", { class: "wrong" }, `There is no value: ${minus(now.errors[i])}.`));
  if (!leaf) {
    const rows = nodes[i].of.flatMap((x, k) => {
      if (constant(x)) return [];
      const formula = localFormula({ user: i, k }), slope = current.data[i] === null ? null : now.slopes[i][k];
      const text = number(slope) === formula ? ` = ${formula}` : ` = ${formula ? `${formula} = ` : ""}${number(slope)}`;
      return [element("li", {}, `∂${names[i]}/∂`, link(x), text)];
    });
    parts.push(element("h3", {}, "Local derivatives"), element("ul", {}, ...rows));
    if (side(i, now.data)) parts.push(element("p", {}, side(i, now.data)));
    if (ruleOf(i).source) {
      parts.push(element("h3", {}, "The rule, on the page of calculus"), element("pre", { tabindex: 0 }, ruleOf(i).source));
    }
  }
  parts.push(element("h3", {}, `Gradient: ${gradient(i)} = ${number(current.grad[i], 8)}`));
  if (seeds().includes(i)) parts.push(element("p", {}, `It is ${chosen.of === "sum" ? "one of the results" : "the result itself"}: 1 to begin with.`));
  if (users[i].length) {
    const terms = users[i].slice(0, 30).map((edge) => {
      const e = edges.indexOf(edge), arrived = current.shares[e] !== undefined;
      const numbers = arrived ? `${number(current.grad[edge.user])}${DOT}${factor(now.slopes[edge.user][edge.k])} = ${number(current.shares[e])}` : "not yet";
      return element("li", {}, `∂${target()}/∂`, link(edge.user), `${DOT}${local(edge)} = ${numbers}`);
    });
    const more = users[i].length > 30 ? [element("li", {}, `and ${users[i].length - 30} more`)] : [];
    parts.push(element("p", {}, users[i].length > 1 ? `It is used ${users[i].length} times; what comes back adds up:` : "It is used once, so one share comes back:"), element("ul", {}, ...terms, ...more));
  }
  if (leaf && !hidden) {
    parts.splice(1, 0, ...curveOf(i, current));
    parts.push(...pathsOf(i, current));
  }
  $("why").replaceChildren(...parts);
}

// Whole paths, from the result to an input, if they are few.
function pathsOf(leaf, current) {
  const ends = new Set(seeds());
  let paths = [{ last: leaf, edges: [] }];
  const found = [];
  while (paths.length) {
    const longer = [];
    for (const path of paths) {
      if (ends.has(path.last) && path.edges.length) found.push(path);
      for (const edge of users[path.last]) longer.push({ last: edge.user, edges: [edge, ...path.edges] });
    }
    if (found.length + longer.length > 400) return [];
    paths = longer;
  }
  if (!found.length || found.length > 12 || chosen.step < steps || now.grad[leaf] === null) return [];
  const rows = found.map((path) => {
    const slopes = path.edges.map(({ user, k }) => now.slopes[user][k]);
    const way = [path.last, ...path.edges.map(({ x }) => x)].map((i) => names[i]).join(" → ");
    const product = slopes.reduce(times, 1);
    return element("li", {}, `${way}: `, element("span", { class: "formula" }, `${slopes.map((s, n) => n ? factor(s) : number(s)).join(DOT)} = ${number(product)}`));
  });
  const words = found.length === 1 ? "One path leads back to it" : `${found.length} paths lead back to it, and their products add up`;
  return [element("h3", {}, `Whole paths`), element("p", {}, `${words}:`), element("ul", {}, ...rows)];
}

// The result as a curve over one input, with the tangent line through the present point.
function curveOf(i, current) {
  if (lockedBy(i)) return [];
  const [low, high] = range[i], width = 340, height = 150, count = nodes.length > 400 ? 41 : 161;
  const points = Array.from({ length: count }, (_, n) => {
    const x = low + (high - low) * n / (count - 1);
    return [x, result(forward({ ...chosen.inputs, [i]: x }).data)];
  });
  const ys = points.map(([, y]) => y).filter((y) => y !== null && Number.isFinite(y));
  const here = result(now.data);
  const bounds = ["from", "to"].map((word, n) => {
    const field = element("input", { type: "number", step: "any", value: range[i][n], title: `The slider of ${names[i]} goes ${word} here`, "aria-label": `${names[i]} ${word}` });
    field.addEventListener("change", () => {
      const limit = field.valueAsNumber;
      if (Number.isFinite(limit) && (n ? limit > range[i][0] : limit < range[i][1])) range[i][n] = limit;
      show();
    });
    return element("label", {}, `${word} `, field);
  });
  const head = element("h3", {}, `${target() === "Σ" ? "The sum of the results" : target()} over ${names[i]}, and its tangent line`);
  const limits = element("p", { class: "range quiet" }, "The slider goes ", ...bounds);
  if (!ys.length) return [head, limits];
  const [bottom, top] = [Math.min(...ys), Math.max(...ys)], tall = top - bottom || 1;
  const X = (x) => 8 + (x - low) / (high - low) * (width - 16), Y = (y) => height - 20 - (y - bottom) / tall * (height - 36);
  let pen = "M", line = "";
  for (const [x, y] of points) {
    if (y === null || !Number.isFinite(y)) pen = "M";
    else { line += `${pen}${X(x).toFixed(1)},${Y(y).toFixed(1)}`; pen = "L"; }
  }
  const picture = element("svg", { viewBox: `0 0 ${width} ${height}`, class: "plot", role: "img", "aria-label": `${target()} over ${names[i]} from ${number(low)} to ${number(high)}, with its tangent line` },
    element("line", { x1: 8, x2: width - 8, y1: height - 18, y2: height - 18, class: "axis" }),
    element("path", { d: line, class: "curve" }));
  if (here !== null && Number.isFinite(here)) {
    const slope = now.grad[i];
    if (chosen.step === steps && Number.isFinite(slope)) {
      const [a, b] = [low - (high - low), high + (high - low)];
      const clamp = (z) => Math.max(-1e4, Math.min(1e4, z)).toFixed(1);
      picture.append(element("line", { x1: clamp(X(a)), y1: clamp(Y(here + slope * (a - chosen.inputs[i]))), x2: clamp(X(b)), y2: clamp(Y(here + slope * (b - chosen.inputs[i]))), class: "tangent" }));
    }
    picture.append(element("circle", { cx: X(chosen.inputs[i]).toFixed(1), cy: Y(here).toFixed(1), r: 4.5, class: "point" }));
    const text = chosen.step === steps && slope !== null ? `slope ${number(slope)}` : "";
    picture.append(element("text", { x: width - 10, y: 14, "text-anchor": "end" }, text));
  }
  picture.append(element("text", { x: 8, y: height - 4 }, number(low)), element("text", { x: width - 8, y: height - 4, "text-anchor": "end" }, number(high)));
  picture.append(element("text", { x: 8, y: 14 }, number(top)));
  return [head, picture, limits];
}

// The address's fragment: a link leads to this step, with these numbers -----------------------------------------------

const own = new Set(["step", "tangent", "of", "practice", "check"]);
const keyOf = (name) => own.has(name) || name.startsWith("node:") ? `node:${name}` : name;
const atHome = location.protocol !== "about:";

function fragment() {
  const parts = new URLSearchParams();
  if (chosen.step !== steps) parts.set("step", chosen.step);
  if (chosen.tangent !== start.tangent) parts.set("tangent", chosen.tangent === "given" ? "" : names[chosen.tangent]);
  if (chosen.of !== start.of) parts.set("of", chosen.of === "sum" ? "" : names[chosen.of]);
  if (chosen.practice) parts.set("practice", chosen.practice);
  if (chosen.check) parts.set("check", "1");
  for (const i of leaves) if (!Object.is(chosen.inputs[i], first[i])) parts.set(keyOf(names[i]), chosen.inputs[i]);
  return parts.toString();
}

function recall() {
  if (!atHome) return;
  const parts = new URLSearchParams(location.hash.slice(1));
  const named = (key, among, other) => among.includes(place.get(parts.get(key))) ? place.get(parts.get(key)) : other;
  chosen.inputs = { ...first };
  for (const i of leaves) {
    const x = parts.get(keyOf(names[i]));
    if (x !== null && x.trim() && Number.isFinite(Number(x)) && !lockedBy(i)) chosen.inputs[i] = Number(x);
  }
  const step = parts.get("step");
  chosen.step = step !== null && Number.isInteger(Number(step)) ? Math.min(Math.max(Number(step), 0), steps) : steps;
  chosen.tangent = named("tangent", leaves, start.tangent);
  chosen.of = named("of", outputs, start.of);
  chosen.practice = ["forward", "backward", "both"].includes(parts.get("practice")) ? parts.get("practice") : "";
  chosen.check = parts.get("check") === "1";
  $("practice").value = chosen.practice;
  if (chosen.practice) $("practice-panel").open = true;
  if (chosen.check) $("bump").open = true;
}

let writing = null, written_ = 0;
function remember() { // browsers stop a page that does so too often
  if (!atHome || writing) return;
  writing = setTimeout(() => {
    writing = null;
    written_ = Date.now();
    const text = fragment();
    if (text !== location.hash.slice(1)) history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
  }, Math.max(0, 400 - (Date.now() - written_)));
}
const start = { tangent: chosen.tangent, of: chosen.of };
window.addEventListener("hashchange", () => { recall(); compute(); show(); });

let seen;
window.addEventListener("beforeprint", () => { seen = view; fit(); });
window.addEventListener("afterprint", () => look(...seen));

// For tests, and for one's own programs -------------------------------------------------------------------------------

window.explore = {
  get steps() { return steps; },
  state() {
    const { data, grad, tangent } = at(chosen.step);
    return { step: chosen.step, nodes: Object.fromEntries(names.map((name, i) => [name, { data: data[i], grad: grad[i], tangent: tangent[i] }])) };
  },
  set(name, x) {
    const i = place.get(name);
    if (i === undefined || !isLeaf(i)) throw new Error(`${name} is no input of this graph`);
    if (typeof x !== "number" || !Number.isFinite(x)) throw new Error(`${name}: ${x} is not a number`);
    if (lockedBy(i)) throw new Error(`${name} cannot be moved: ${lockedBy(i)} has no JavaScript`);
    move(i, x);
  },
  goto(step) { play(false); go(Number(step)); },
};

$("scrub").max = steps;
document.body.classList.toggle("wide", whole[2] > 2.8 * whole[3]);
document.body.classList.toggle("many", leaves.length > 8); // too many for a sheet of paper
afar();
recall();
compute();
show();
if (window.innerWidth < 600) { // on a phone, what can be read
  zoom(Math.min(drawing.clientWidth / whole[2] / 0.8, 1));
  follow(present());
}
