// What is shown stands in the address, behind its #: each view can be linked to, and the browser's
// back and forward lead through them. "#runs" is a place of the page; "#run=NAME" a run's page;
// "#compare=A,B" two of them; "TABLE.sort", "TABLE.text" and "TABLE.is.COLUMN" a table's state.

const listeners = [];
let heard = null;

function address() {
  const text = location.hash.slice(1);
  if (text.includes("=")) return new URLSearchParams(text);
  const found = new URLSearchParams();
  if (text) found.set("at", decoded(text));
  return found;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The address with some of its parts changed; null takes one out, a list gives it several values. */
function addressWith(changes) {
  const parts = address();
  for (const [key, value] of Object.entries(changes)) {
    parts.delete(key);
    if (value !== null) for (const one of [value].flat()) parts.append(key, one);
  }
  return written(parts);
}

/** Parts as they stand behind the #: the slashes and commas of names are left readable. */
function written(parts) {
  const keys = [...parts.keys()];
  if (keys.length === 1 && keys[0] === "at") return `#${encodeURIComponent(parts.get("at"))}`;
  const text = [...parts].map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`);
  return `#${text.join("&").replaceAll("%2C", ",").replaceAll("%3A", ":")}`;
}

/** Go where an address leads; `replace` leaves no step behind for the back button. */
function go(to, { replace = false } = {}) {
  if (to !== location.hash) history[replace ? "replaceState" : "pushState"](null, "", to);
  tell();
}

function onAddress(act) {
  listeners.push(act);
}

function tell() {
  const before = heard;
  heard = location.hash;
  for (const act of listeners) act(address(), before !== heard);
}

window.addEventListener("popstate", () => {
  if (heard !== location.hash) tell();
});

// A link within the page keeps the state of the tables.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.('a[href^="#"]');
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  const text = link.getAttribute("href").slice(1);
  const to = text.includes("=") ? new URLSearchParams(text) : new URLSearchParams({ at: decoded(text) });
  const changes = { run: null, compare: null, at: null };
  for (const key of new Set(to.keys())) changes[key] = to.getAll(key);
  if (!text) changes.at = null;
  const wanted = addressWith(changes);
  if (wanted === location.hash) showPlace(to.get("at"));
  else go(wanted);
});

/** Scroll to a place of the page and put the keyboard there. */
function showPlace(id) {
  const place = id && document.getElementById(id);
  if (!place) return;
  for (let outer = place.closest("details"); outer; outer = outer.parentElement?.closest("details")) outer.open = true;
  if (!place.matches("a, button, input, select, [tabindex]")) place.setAttribute("tabindex", "-1");
  place.scrollIntoView();
  place.focus({ preventScroll: true });
}
