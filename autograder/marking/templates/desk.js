"use strict";
const $ = (id) => document.getElementById(id);
const state = JSON.parse($("state").textContent);
const articles = [...document.querySelectorAll("#cards article")];
const lines = [...document.querySelectorAll("#parts button")];
const cards = state.cards.map(({ members }, n) => ({ members, n, element: articles[n], name: articles[n].querySelector("h2").firstChild.textContent.trim(), draft: null, failed: false }));
let current = null, choosing = false, pending = Promise.resolve(), waiting = 0;

// What a card is: what the gradebook has of its answers, and what has been typed and not saved

const ofCard = (card) => card.members.map(([id]) => state.marks[id]);
const same = (values) => values.every((value) => value === values[0]);
const waits = (card) => ofCard(card).some((mark) => mark.counts === null);
const saved = (card) => {
  const marks = ofCard(card), points = marks.map((mark) => mark.points);
  return { points: same(points) ? points[0] : null, comment: same(marks.map((m) => m.comment)) ? marks[0].comment : "" };
};
const drafted = (card) => card.draft ??= { ...saved(card), typed: "", pressed: new Set(), more: 0 };
const shown = (card) => card.draft ?? saved(card);
const text = (points) => points === null ? "–" : String(+points.toFixed(2));

const markOf = (card) => {
  if (card.failed) return "not saved";
  if (card.draft) return `${text(card.draft.points)}: not saved yet`;
  const counts = ofCard(card).map((mark) => mark.counts);
  if (!same(counts)) return `marked differently: ${[...new Set(counts.map(text))].join(", ")}`;
  if (counts[0] === null) return "not marked";
  return `${text(counts[0])} of ${text(state.maximum)}`;
};

const drawCard = (card) => {
  card.element.classList.toggle("waiting", waits(card));
  card.element.classList.toggle("draft", Boolean(card.draft));
  card.element.classList.toggle("failed", card.failed);
  card.element.querySelector(".mark").textContent = markOf(card);
  card.element.querySelector(".comment").textContent = shown(card).comment;
};

const drawBar = () => {
  if (!current) return;
  const { points, comment, typed, pressed } = shown(current);
  $("points").textContent = typed || text(points);
  for (const button of $("digits").children) button.setAttribute("aria-pressed", Number(button.textContent) === points);
  lines.forEach((button, n) => button.setAttribute("aria-pressed", Boolean(pressed?.has(n))));
  if ($("comment").value !== comment) $("comment").value = comment;
  const given = new Set(paragraphs(comment));
  for (const button of $("again").children) button.setAttribute("aria-pressed", given.has(button.dataset.text));
};

const drawProgress = () => {
  const { waiting, marked, mean } = state.progress;
  $("progress").textContent = `${waiting} wait, ${marked} marked` + (mean === null ? "" : `, mean ${text(mean)} of ${text(state.maximum)}`);
};

const drawAgain = () => $("again").replaceChildren(...state.comments.map(([said, count], n) => {
  const button = document.createElement("button"), key = document.createElement("kbd");
  button.type = "button"; button.dataset.text = said; button.title = said;
  key.textContent = n < 9 ? `r ${n + 1}` : " ";
  button.append(key, ` ${said.replaceAll("\n", " ")} `, `(${count})`);
  button.addEventListener("click", () => { again(n); rest(); });
  return button;
}));

const draw = () => { cards.forEach(drawCard); drawProgress(); drawAgain(); drawBar(); };

const say = (said, bad = false) => { $("said").textContent = said; $("said").classList.toggle("bad", bad); };

// Where the marker is

const rest = () => current?.element.focus({ preventScroll: true });

const go = (n) => {
  if (!cards[n]) return;
  current?.element.removeAttribute("aria-current");
  current = cards[n];
  current.element.setAttribute("aria-current", "true");
  if (current.draft) current.draft.typed = "";
  current.element.scrollIntoView({ block: "start" });
  rest(); drawBar();
};

const nextWaiting = (after) => {
  const order = [...cards.slice(after + 1), ...cards.slice(0, after + 1)];
  return order.find((card) => waits(card) && !card.leaving);
};

const onward = (from) => {
  const next = nextWaiting(from.n);
  if (next) return go(next.n);
  drawBar(); rest();
  const link = $("next") ?? $("home");
  say(`Every answer to this question is marked. Go on with: ${link.textContent}.`);
};

// Points and comments

const possible = (typed) => /^(0|[1-9]\d*)?(\.(\d|25|50|75)?)?$/.test(typed) && Number(typed) <= state.maximum;

const type = (key) => {
  const draft = drafted(current), longer = draft.typed + key;
  draft.typed = [longer, key === "." ? "0." : key].find(possible) ?? null;
  if (draft.typed === null) { draft.typed = ""; return say(`This question has ${text(state.maximum)} points.`, true); }
  Object.assign(draft, { points: Number(draft.typed), pressed: new Set(), more: 0 });
  changed();
};

const erase = () => {
  const draft = drafted(current);
  draft.typed = draft.typed.slice(0, -1);
  Object.assign(draft, { points: draft.typed ? Number(draft.typed) : null, pressed: new Set(), more: 0 });
  changed();
};

const set = (points) => { Object.assign(drafted(current), { points, typed: "", pressed: new Set(), more: 0 }); changed(); };

const within = (points) => Math.min(state.maximum, Math.max(0, points));

const add = (points) => {
  const draft = drafted(current), now = draft.points ?? 0;
  draft.points = within(now + points);
  draft.more += draft.points - now;
  draft.typed = "";
  changed();
};

const part = (n) => {
  const draft = drafted(current);
  if (!draft.pressed.delete(n)) draft.pressed.add(n);
  if (draft.pressed.size <= 1 && draft.pressed.has(n)) draft.more = 0;
  const sum = [...draft.pressed].reduce((total, one) => total + state.parts[one], 0);
  draft.points = within(sum + draft.more);
  draft.typed = "";
  changed();
};

const paragraphs = (comment) => comment.split("\n\n").map((one) => one.trim()).filter(Boolean);

const again = (n) => {
  const said = state.comments[n]?.[0];
  if (!said) return say("There is no such comment.", true);
  const draft = drafted(current), before = paragraphs(draft.comment);
  draft.comment = (before.includes(said) ? before.filter((one) => one !== said) : [...before, said]).join("\n\n");
  changed();
};

const changed = () => { current.failed = false; say(""); drawCard(current); drawBar(); };

const forget = () => { current.draft = null; current.failed = false; say(""); drawCard(current); drawBar(); };

// Saving: one request after another, so that each knows what the one before has changed

const send = async (card, given) => {
  const answers = Object.fromEntries(card.members.map(([id, digest]) => [id, [digest, state.marks[id].seen]]));
  const answer = await fetch(location.pathname, {
    method: "POST", headers: { "Content-Type": "application/json", "X-Token": TOKEN },
    body: JSON.stringify({ answers, points: given.points, comment: given.comment }),
  });
  const found = await answer.json();
  if (found.marks) take(found, answer.ok ? card : null);
  if (!answer.ok) throw Object.assign(new Error(found.error), { now: Boolean(found.marks) });
};

const take = (found, done) => {
  const drafts = cards.filter((card) => card.draft && card !== done && !card.refused);
  const keep = new Set(drafts.flatMap((card) => card.members.map(([id]) => id)));
  for (const [id, mark] of Object.entries(found.marks)) if (!keep.has(id)) state.marks[id] = mark;
  Object.assign(state, { progress: found.progress, comments: found.comments });
};

const save = (card, then) => {
  const { points, comment } = card.draft, given = { points, comment };
  card.leaving = true; waiting += 1;
  pending = pending.then(async () => {
    card.refused = true; // whatever the answer is, it says what is there now
    try {
      await send(card, given);
      if (card.draft?.points === points && card.draft.comment === comment) card.draft = null;
      card.failed = false;
      say(`${card.name}: ${points === null ? "saved without points" : `saved, ${text(points)}`}.`);
    } catch (error) {
      card.failed = true;
      const why = error instanceof TypeError || error instanceof SyntaxError
        ? "the server does not answer. Is `autograder mark` still running?" : error.message;
      if (document.activeElement !== $("comment")) go(card.n);
      say(`${card.name} is not saved: ${why}` + (error.now ? ` There is now: ${[...new Set(ofCard(card).map((m) => text(m.counts)))].join(", ")}.` : ""), true);
    } finally {
      card.refused = card.leaving = false; waiting -= 1;
    }
    draw();
    if (!card.failed && !waiting && !nextWaiting(card.n) && then) onward(card);
  });
  if (then && nextWaiting(card.n)) onward(card);
};

const enter = () => {
  const draft = current.draft;
  if (draft && draft.points === null && draft.comment === saved(current).comment) forget();
  if (current.draft) {
    if (current.draft.points === null && waits(current)) say("Only the comment is saved: there are no points yet.");
    return save(current, true);
  }
  if (waits(current)) return say("No points yet: type them, or go on with j.", true);
  onward(current);
};

const back = () => {
  const draft = drafted(current);
  Object.assign(draft, { points: null, typed: "", pressed: new Set(), more: 0 });
  save(current, false);
  drawBar();
};

// Keys and clicks

const write = () => { const field = $("comment"); field.focus(); field.setSelectionRange(field.value.length, field.value.length); };
const KEYS = {
  Enter: enter, j: () => go(current.n + 1), ArrowDown: () => go(current.n + 1), k: () => go(current.n - 1),
  ArrowUp: () => go(current.n - 1), u: () => onward(current), c: write, x: back, m: () => set(state.maximum),
  "+": () => add(0.5), "=": () => add(0.5), "-": () => add(-0.5), Backspace: erase, z: forget,
  ".": () => type("."), ",": () => type("."), "?": () => $("keys").showModal(),
  o: () => { const above = current.element.querySelector(".above"); if (above) above.open = !above.open; },
  r: () => { choosing = true; $("again").classList.add("choosing"); say(state.comments.length ? "Which comment? 1 to 9." : "No comment has been given yet."); },
};

document.addEventListener("keydown", (event) => {
  if ($("keys").open || !current || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target === $("comment")) {
    if (event.key === "Escape") { rest(); event.preventDefault(); }
    if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); rest(); enter(); }
    return;
  }
  if (["Enter", " "].includes(event.key) && event.target.closest("button, a, summary")) return;
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code)?.[1];
  const chosen = choosing;
  if (event.key !== "Shift") { choosing = false; $("again").classList.remove("choosing"); }
  if (chosen && digit) again(digit - 1);
  else if (event.shiftKey && event.code.startsWith("Digit") && lines[digit - 1]) part(digit - 1);
  else if (/^\d$/.test(event.key)) type(event.key);
  else if (Object.hasOwn(KEYS, event.key)) KEYS[event.key]();
  else return;
  event.preventDefault();
});

articles.forEach((article, n) => article.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (link) { link.target = "_blank"; link.rel = "noopener noreferrer"; }
  if (current !== cards[n] && !getSelection().toString()) { const y = scrollY; go(n); scrollTo(0, y); }
}));
lines.forEach((button, n) => button.addEventListener("click", () => { part(n); rest(); }));
const whole = state.maximum <= 12 ? Array.from({ length: Math.floor(state.maximum) + 1 }, (_, n) => n) : [0, state.maximum];
$("digits").append(...[...whole.map((n) => [String(n), () => set(n)]), ["+½", () => add(0.5)], ["−½", () => add(-0.5)]].map(([label, act]) => {
  const button = document.createElement("button");
  button.type = "button"; button.textContent = label;
  button.addEventListener("click", () => { act(); rest(); });
  return button;
}));
$("save").addEventListener("click", enter);
$("back").addEventListener("click", () => { back(); rest(); });
$("help").addEventListener("click", () => $("keys").showModal());
$("keys").addEventListener("close", rest);
$("comment").addEventListener("input", () => { drafted(current).comment = $("comment").value; current.failed = false; drawCard(current); });
addEventListener("beforeunload", (event) => { if (waiting || cards.some((card) => card.draft)) event.preventDefault(); });

draw();
if (cards.length) { go((cards.find(waits) ?? cards[0]).n); scrollTo(0, 0); } else $("bar").hidden = true;
