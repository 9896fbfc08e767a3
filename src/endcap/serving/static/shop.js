// Makes the shop act in place. Without this file every button still works, by a page load.
"use strict";

const SAID = { view: "Viewed", cart: "Added to the cart:", purchase: "Bought:" };
let isBusy = false;

function tell(text, isError = false) {
  const news = document.getElementById("news");
  news.textContent = text;
  news.classList.toggle("is-error", isError);
  news.classList.add("is-shown");
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => news.classList.remove("is-shown"), isError ? 8000 : 5000);
}

async function send(form, kind) {
  const field = (name) => form.elements[name].value;
  const response = await fetch("/v1/events", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      kind,
      user_id: field("user_id"),
      item_id: field("item_id"),
      request_id: field("request_id"),
    }),
  });
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    throw new Error(problem.detail || `The shop answered ${response.status}.`);
  }
}

// What stands on each shelf, to tell afterwards which of them changed.
function contents() {
  const shelves = new Map();
  for (const shelf of document.querySelectorAll(".shelf")) {
    const items = [...shelf.querySelectorAll(".card")].map((card) => card.dataset.item);
    const title = shelf.querySelector("h2").textContent;
    shelves.set(shelf.dataset.shelf, { title, text: title + items.join("|"), items: new Set(items) });
  }
  return shelves;
}

async function refresh() {
  const response = await fetch(location.pathname + location.search, {
    headers: { Accept: "text/html" },
  });
  if (!response.ok) throw new Error(`The shop answered ${response.status}.`);
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  const before = contents();
  const focus = whereFocusIs();
  const scrolled = new Map();
  for (const row of document.querySelectorAll(".row")) scrolled.set(row.parentElement.id, row.scrollLeft);
  const isTopInView = document.getElementById("visit").getBoundingClientRect().bottom > 0;
  for (const id of ["content", "cart"]) {
    document.getElementById(id).replaceWith(document.adoptNode(fresh.getElementById(id)));
  }
  const changed = highlight(before);
  for (const row of document.querySelectorAll(".shelf:not(.is-changed) .row")) {
    row.scrollLeft = scrolled.get(row.parentElement.id) || 0;
  }
  equip();
  putFocus(focus);
  if (!isTopInView && focus) keepInPlace(focus);
  return changed;
}

function highlight(before) {
  const changed = [];
  for (const [id, now] of contents()) {
    const then = before.get(id);
    if (then && then.text === now.text) continue;
    const shelf = document.getElementById(`shelf-${id}`);
    shelf.classList.add("is-changed");
    shelf.querySelector(".changed").hidden = false;
    for (const card of shelf.querySelectorAll(".card")) {
      if (!then || !then.items.has(card.dataset.item)) card.classList.add("is-new");
    }
    changed.push(now.title);
  }
  return changed;
}

function whereFocusIs() {
  const card = document.activeElement && document.activeElement.closest(".card");
  if (!card) return null;
  const shelf = card.closest(".shelf");
  const top = shelf.getBoundingClientRect().top;
  return { item: card.dataset.item, kind: document.activeElement.value, shelf: shelf.id, top };
}

// A shelf that came in above, out of sight, must not push away what the visitor looks at.
function keepInPlace({ shelf, top }) {
  const now = document.getElementById(shelf);
  if (now) window.scrollBy({ top: now.getBoundingClientRect().top - top, behavior: "instant" });
}

// The pressed button if it is still there, else its shelf, else the top: never nowhere.
function putFocus(focus) {
  if (!focus) return;
  const button = document.querySelector(
    `.card[data-item="${CSS.escape(focus.item)}"] button[value="${CSS.escape(focus.kind)}"]`,
  );
  const shelf = document.querySelector(`#${CSS.escape(focus.shelf)} .row`);
  (button || shelf || document.getElementById("content")).focus({ preventScroll: true });
}

// Arrows only where there is something to scroll to.
function equip() {
  for (const shelf of document.querySelectorAll(".shelf")) {
    const row = shelf.querySelector(".row");
    shelf.querySelector(".arrows").hidden = row.scrollWidth <= row.clientWidth + 1;
  }
}

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form.act");
  if (!form || !event.submitter) return;
  event.preventDefault();
  if (isBusy) return;
  isBusy = true;
  document.body.classList.add("is-busy");
  try {
    await send(form, event.submitter.value);
    const name = form.querySelector(".name").textContent;
    const changed = await refresh();
    const effect = changed.length ? `Changed: ${changed.join(", ")}.` : "The shelves stay as they are.";
    tell(`${SAID[event.submitter.value]} ${name}. ${effect}`);
  } catch (error) {
    tell(`That did not work. ${error.message}`, true);
  } finally {
    isBusy = false;
    document.body.classList.remove("is-busy");
  }
});

document.addEventListener("click", (event) => {
  const arrow = event.target.closest(".arrow");
  if (arrow) {
    const row = arrow.closest(".shelf").querySelector(".row");
    row.scrollBy({ left: Number(arrow.dataset.move) * row.clientWidth * 0.8 });
  }
  const picture = event.target.closest(".picture");
  if (picture) picture.closest("form").querySelector('button[value="view"]').click();
});

equip();
window.addEventListener("resize", equip);
