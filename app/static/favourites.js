/** Favourites of this browser: points with their model and truncation, as JSON in its storage and in files. */

import { formatPoint, parsePoint } from "./point.js";
import { keep, recall } from "./storage.js";

/** @typedef {{model: string, psi: number | null, point: string}} Favourite */

const STORE = "galsynth-favourites";
const FORMAT = "galsynth-favourites/1";
/** @type {Set<() => void>} */
const listeners = new Set();
/** By key, newest first; null: to be read again. @type {Map<string, Favourite> | null} */
let known = null;
let kept = true;

addEventListener("storage", ({ key }) => (key === STORE || key === null) && tell()); // another tab has changed them

/** @returns {Favourite[]} newest first */
export function all() {
  return [...current().values()];
}

/** @param {Favourite} one */
export function has(one) {
  return current().has(keyOf(one));
}

/** @param {Favourite} one @returns {boolean} whether it is one now */
export function toggle(one) {
  const others = new Map(reread());
  const added = !others.delete(keyOf(one));
  save(added ? [one, ...others.values()] : [...others.values()]);
  return added;
}

/** The file that `take` reads. */
export function exported() {
  return JSON.stringify({ format: FORMAT, favourites: all() }, null, 1);
}

/**
 * Add the favourites of a file.
 * @param {string} text
 * @returns {{fresh: number, unread: number}} how many are new, and how many entries name no galaxy
 * @throws {Error} in plain words
 */
export function take(text) {
  let document;
  try {
    document = JSON.parse(text);
  } catch {
    throw new Error("This file is not JSON. Choose one that this page has exported.");
  }
  if (document?.format !== FORMAT || !Array.isArray(document.favourites))
    throw new Error("This file holds no favourites. Choose one that this page has exported.");
  const before = reread();
  const given = clean(document.favourites);
  const fresh = [...keyed(given).values()].filter((one) => !before.has(keyOf(one)));
  save([...before.values(), ...fresh]);
  return { fresh: fresh.length, unread: document.favourites.length - given.length };
}

/** Whether they outlive the page; not where the browser keeps nothing for it, or is full. */
export function lasting() {
  return kept;
}

/** @param {() => void} listener @returns {() => void} stops listening */
export function onChange(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** @param {Favourite[]} favourites */
function save(favourites) {
  kept = keep(STORE, JSON.stringify(favourites));
  tell();
}

function tell() {
  known = null;
  for (const listener of listeners) listener();
}

/** @returns {Map<string, Favourite>} */
function current() {
  return (known ??= reread());
}

/** As they are kept at this moment: another tab may have been quicker. @returns {Map<string, Favourite>} */
function reread() {
  try {
    return keyed(clean(JSON.parse(recall(STORE) ?? "[]")));
  } catch {
    return new Map();
  }
}

/** Each once. @param {Favourite[]} favourites */
function keyed(favourites) {
  return new Map(favourites.map((one) => [keyOf(one), one]));
}

/** @param {Favourite} one */
function keyOf({ model, psi, point }) {
  return `${model} ${psi} ${point}`;
}

/** What is well-formed, in the one way of writing a point. @param {any[]} given @returns {Favourite[]} */
function clean(given) {
  return given.flatMap((one) => {
    try {
      const psi = typeof one.psi === "number" ? one.psi : null;
      return typeof one.model === "string" ? [{ model: one.model, psi, point: formatPoint(parsePoint(one.point)) }] : [];
    } catch {
      return [];
    }
  });
}
