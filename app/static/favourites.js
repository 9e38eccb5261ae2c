/** Favourites of this browser: points with their model and truncation, as JSON in local storage and in files. */

import { formatPoint, parsePoint } from "./point.js";

/** @typedef {{model: string, psi: number | null, point: string}} Favourite */

const STORE = "galsynth-favourites";
const FORMAT = "galsynth-favourites/1";
/** @type {Set<() => void>} */
const listeners = new Set();

/** @returns {Favourite[]} newest first */
export function all() {
  try {
    return clean(JSON.parse(localStorage.getItem(STORE) ?? "[]"));
  } catch {
    return [];
  }
}

/** @param {Favourite} one */
export function has(one) {
  return all().some((other) => same(one, other));
}

/** @param {Favourite} one @returns {boolean} whether it is one now */
export function toggle(one) {
  const others = all().filter((other) => !same(one, other));
  const added = others.length === all().length;
  save(added ? [one, ...others] : others);
  return added;
}

/** The file that `take` reads. */
export function exported() {
  return JSON.stringify({ format: FORMAT, favourites: all() }, null, 1);
}

/** Add the favourites of a file. @param {string} text @returns {number} how many are new @throws {Error} in plain words */
export function take(text) {
  let document;
  try {
    document = JSON.parse(text);
  } catch {
    throw new Error("This file is not JSON. Choose one that this page has exported.");
  }
  if (document?.format !== FORMAT || !Array.isArray(document.favourites))
    throw new Error("This file holds no favourites. Choose one that this page has exported.");
  const before = all();
  const fresh = clean(document.favourites).filter((one) => !before.some((other) => same(one, other)));
  save([...before, ...fresh]);
  return fresh.length;
}

/** @param {() => void} listener @returns {() => void} stops listening */
export function onChange(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** @param {Favourite[]} favourites */
function save(favourites) {
  localStorage.setItem(STORE, JSON.stringify(favourites));
  for (const listener of listeners) listener();
}

/** @param {Favourite} a @param {Favourite} b */
function same(a, b) {
  return a.model === b.model && a.psi === b.psi && a.point === b.point;
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
