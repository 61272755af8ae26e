"use strict";
// What the page carries packed is unpacked when it is first asked for, and kept.

/** The text of an element that holds a zlib stream as base64. */
async function inflated(element) {
  if (typeof DecompressionStream === "undefined") {
    throw new Error("this browser cannot unpack what the page carries: take one from 2023 or later");
  }
  const letters = atob(element.textContent);
  const bytes = Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
}

const unpackedBefore = new Map();

/** The JSON that an element holds packed; null where there is no such element. */
function unpacked(element) {
  if (!element) return Promise.resolve(null);
  if (!unpackedBefore.has(element)) {
    unpackedBefore.set(element, inflated(element).then((text) => JSON.parse(text)));
  }
  return unpackedBefore.get(element);
}

const index = () => unpacked(document.getElementById("data-index"));
const checks = () => unpacked(document.getElementById("data-checks"));

/** The element of a class that is of a run or a table: names may hold any letter. */
function dataOf(kind, name) {
  return [...document.getElementsByClassName(`data-${kind}`)].find(
    (one) => one.dataset[kind === "table" ? "table" : "run"] === name
  );
}
const detailsOf = (run) => unpacked(dataOf("run", run));
const traceOf = (run) => unpacked(dataOf("trace", run));

/** An element with attributes and what it holds; texts become text, never markup. */
function made(name, attributes = {}, ...inner) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "on") for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...inner.flat().filter((one) => one !== null && one !== undefined));
  return element;
}

/** Tells who does not see the page what just changed. */
function say(text) {
  document.getElementById("said").textContent = text;
}
