/**
 * The state of the page is its address: `read` makes one from the other, `write` the other from the one.
 * Fields at their default are left out, so that addresses stay short.
 */

import { NEIGHBOUR_STEP, formatPoint, formatPoints, parsePoint, parsePoints } from "./point.js";

/** @typedef {import("./point.js").Point} Point */
/** @typedef {{text: string, why: string}} Unread what stands in an address where a galaxy should, and why it names none */
/** @template T @typedef {{fallback: T, parse: (text: string) => T, format: (value: T) => string}} Field */

/** @param {string} fallback @param {string[]} [allowed] @returns {Field<string>} */
const text = (fallback, allowed) => ({
  fallback,
  parse: (value) => (!allowed || allowed.includes(value) ? value : fallback),
  format: String,
});

/** @template T @param {T} fallback @param {number} low @param {number} high @returns {Field<number | T>} */
const number = (fallback, low, high) => ({
  fallback,
  parse: (value) => (value !== "" && Number.isFinite(Number(value)) ? Math.min(high, Math.max(low, Number(value))) : fallback),
  format: (value) => String(Number(Number(value).toFixed(4))),
});

/** @template T @param {T} fallback @param {number} low @param {number} high @returns {Field<number | T>} */
const whole = (fallback, low, high) => {
  const field = number(fallback, low, high);
  return {
    ...field,
    parse: (value) => {
      const found = field.parse(value);
      return typeof found === "number" ? Math.round(found) : found;
    },
  };
};

/** @type {Field<boolean>} */
const flag = { fallback: false, parse: (value) => value === "yes", format: (value) => (value ? "yes" : "") };

/** @type {Field<Point[]>} */
const points = { fallback: [], parse: parsePoints, format: formatPoints };

/** @type {Field<Point | Unread | null>} */
const point = {
  fallback: null,
  parse: (value) => {
    try {
      return parsePoint(value);
    } catch (error) {
      return { text: value, why: /** @type {Error} */ (error).message };
    }
  },
  format: (value) => (value && "why" in value ? value.text : formatPoint(value ?? [])),
};

/** Column and row of a pixel, counted from 1 as FITS does. @type {Field<[number, number] | null>} */
const pixel = {
  fallback: null,
  parse: (value) => {
    const found = /^(\d{1,5}),(\d{1,5})$/.exec(value);
    return found && [Number(found[1]), Number(found[2])];
  },
  format: (value) => (value ?? []).join(","),
};

/** @type {Field<number[]>} */
const numbers = {
  fallback: [],
  parse: (value) =>
    value
      .split(",")
      .filter((one) => one !== "")
      .map(Number)
      .filter(Number.isFinite),
  format: (value) => value.map((one) => Number(one.toFixed(4))).join(","),
};

/** Fields that every view keeps. */
const SHARED = { view: text("gallery"), model: text(""), psi: number(null, -2, 2), slots: points };

/** Fields that only some views have; they are left behind on the way to another view. */
const OWN = {
  class: text(""),
  seed: whole(0, 0, 2 ** 32 - 1),
  count: whole(24, 1, 120),
  page: whole(1, 1, 99_999),
  at: point,
  like: text("near", ["near", "shape", "detail"]),
  step: number(NEIGHBOUR_STEP, 0.02, 1),
  look: text("picture", ["picture", "pixels"]),
  band: text("all"),
  stretch: text("asinh", ["linear", "sqrt", "asinh", "log"]),
  soft: number(0.1, 0.001, 1),
  map: text("grey"),
  low: number(0, 0, 100),
  high: number(100, 0, 100),
  pixel,
  frames: whole(60, 2, 600),
  frame: whole(0, 0, 599),
  curve: text("linear", ["linear", "spherical"]),
  space: text("", ["w", "z"]),
  loop: flag,
  fps: whole(25, 1, 50),
  across: points,
  layers: numbers,
  weights: numbers,
  format: text(""),
  size: whole(0, 0, 2048),
};

const FIELDS = { ...SHARED, ...OWN };

/** @typedef {{[K in keyof typeof FIELDS]: ReturnType<(typeof FIELDS)[K]["parse"]>}} State */

/** @param {string} search of an address, with or without "?" @returns {State} */
export function read(search) {
  const given = new URLSearchParams(search);
  return /** @type {State} */ (
    Object.fromEntries(
      Object.entries(FIELDS).map(([name, field]) => [
        name,
        given.has(name) ? field.parse(given.get(name) ?? "") : field.fallback,
      ]),
    )
  );
}

/** What stands in the lists of an address and names no galaxy. `read` leaves it out. @param {string} search @returns {string[]} */
export function leftOut(search) {
  const given = new URLSearchParams(search);
  const listed = ["slots", "across"].flatMap((name) => (given.get(name) ?? "").split(","));
  return listed.filter((each) => each && parsePoints(each).length === 0);
}

/** @param {State} state @returns {string} the address, from "/" on */
export function write(state) {
  const parts = Object.entries(FIELDS).flatMap(([name, field]) => {
    const value = state[/** @type {keyof State} */ (name)];
    const format = /** @type {(value: unknown) => string} */ (field.format);
    const shown = value === null ? "" : format(value);
    return shown === "" || (field.fallback !== null && shown === format(field.fallback)) ? [] : [`${name}=${encode(shown)}`];
  });
  return parts.length ? `/?${parts.join("&")}` : "/";
}

/**
 * `state` with `patch`; going to another view leaves that view's own fields at their defaults.
 * @param {State} state
 * @param {Partial<State>} patch
 * @returns {State}
 */
export function follow(state, patch) {
  if (patch.view === undefined || patch.view === state.view) return { ...state, ...patch };
  const fresh = Object.fromEntries(Object.entries(OWN).map(([name, field]) => [name, field.fallback]));
  return /** @type {State} */ ({ ...state, ...fresh, ...patch });
}

/** Percent-encoding that leaves what an address may hold readable. @param {string} value */
function encode(value) {
  return encodeURIComponent(value).replace(/%(2C|3A|3B|40)/g, decodeURIComponent);
}
