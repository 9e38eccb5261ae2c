/** Entries of the browser's history: their addresses, written no more often than browsers take, and where the reader was in each. */

import { placeOf } from "./focus.js";
import { keep, recall } from "./storage.js";

/** @typedef {import("./focus.js").Place} Place */

/** Safari refuses more than 100 addresses in 30 s, others take some more. These are at most 96: a few at once, then one each time. */
const AT_ONCE = 10;
const APART_MS = 350;
const STORE = "galsynth-places";

/** @type {Map<string, Place>} by entry */
const places = stored();
let entry = known();
/** @type {string | null} the address that is to be written */
let waiting = null;
let timer = 0;
let credit = AT_ONCE;
let counted = performance.now();

history.scrollRestoration = "manual"; // a browser restores before the view is drawn
addEventListener("pagehide", () => {
  flush();
  leave();
  keep(STORE, JSON.stringify([...places]), "tab");
});

/** Where the reader was in this entry. @returns {Place | undefined} */
export function placeHere() {
  return places.get(entry);
}

/** A new entry. @param {string} address */
export function push(address) {
  if (address === here()) return;
  flush();
  leave();
  entry = fresh();
  write("pushState", address);
}

/** Another address for this entry: at once, unless too many have been written lately. @param {string} address */
export function replace(address) {
  if (address === here()) return;
  waiting = address;
  clearTimeout(timer);
  if (creditNow() >= 1) flush();
  else timer = setTimeout(flush, APART_MS);
}

/** @param {() => void} listener told when the reader has gone back or forward @returns {() => void} stops listening */
export function onMove(listener) {
  const moved = () => {
    clearTimeout(timer);
    waiting = null; // it was that of the entry before
    leave();
    entry = known();
    listener();
  };
  addEventListener("popstate", moved);
  return () => removeEventListener("popstate", moved);
}

function here() {
  return waiting ?? location.pathname + location.search;
}

function leave() {
  places.set(entry, placeOf());
}

function flush() {
  clearTimeout(timer);
  if (waiting === null) return;
  const address = waiting;
  waiting = null;
  write("replaceState", address);
}

/** @param {"pushState" | "replaceState"} how @param {string} address */
function write(how, address) {
  credit = Math.max(0, creditNow() - 1);
  try {
    history[how]({ entry }, "", address);
  } catch {
    waiting = address; // refused, as too many: later, then
    timer = setTimeout(flush, 10 * APART_MS);
  }
}

/** How many addresses may be written at once, at this moment. */
function creditNow() {
  const now = performance.now();
  credit = Math.min(AT_ONCE, credit + (now - counted) / APART_MS);
  counted = now;
  return credit;
}

/** The name of the present entry, which is given one where it has none. */
function known() {
  const name = history.state?.entry ?? fresh();
  if (history.state?.entry !== name) history.replaceState({ entry: name }, "");
  return name;
}

function fresh() {
  return `${Date.now()} ${Math.random()}`;
}

/** @returns {Map<string, Place>} of this tab, before a reload */
function stored() {
  try {
    return new Map(JSON.parse(recall(STORE, "tab") ?? "[]"));
  } catch {
    return new Map();
  }
}
