/**
 * A point of latent space as the page names it, and as an address holds it.
 *
 * A point is a weighted sum of atoms: a seed (with or without a class), the mean, or a style mix of two points. Text form:
 * `42`, `42~merger`, `mean`, `0.75*42;0.25*7`, `mix(42:7~merger:0.1.2)`; points of a list stand between commas.
 *
 * @typedef {{kind: "seed", seed: number, class?: string}} SeedAtom
 * @typedef {{kind: "mean"}} MeanAtom
 * @typedef {{kind: "mix", row: Point, column: Point, layers: number[]}} MixAtom
 * @typedef {SeedAtom | MeanAtom | MixAtom} Atom
 * @typedef {{weight: number, atom: Atom}} Term
 * @typedef {Term[]} Point
 */

export const MAX_SEED = 2 ** 32 - 1;
/** Share of the way from a galaxy to its neighbours, unless another is chosen. */
export const NEIGHBOUR_STEP = 0.4;
const MAX_DEPTH = 4;
const MAX_TERMS = 64;
const SHOWN = 60;
/** Names of classes that are no plain words. @type {Record<string, string>} */
const CLASS_WORDS = {
  spiral_acw: "anticlockwise spiral",
  spiral_cw: "clockwise spiral",
  spiral_combined: "combined spiral",
};
/** What needs a sentence. @type {Record<string, string>} */
const CLASS_MEANINGS = {
  spiral_combined: "Combined spirals have their name from Galaxy Zoo, which adds up all votes for a spiral, whichever way it turns.",
};

/** The point of one seed. @param {number} seed @param {string} [className] @returns {Point} */
export function seedPoint(seed, className) {
  return [{ weight: 1, atom: className ? { kind: "seed", seed, class: className } : { kind: "seed", seed } }];
}

/** A seed to start from, far from most others and still short. */
export function anySeed() {
  return crypto.getRandomValues(new Uint32Array(1))[0] % 1_000_000;
}

/**
 * The point where `row` has the listed layers of `column`.
 * @param {Point} row
 * @param {Point} column
 * @param {number[]} layers
 * @returns {Point}
 */
export function mixPoint(row, column, layers) {
  return [{ weight: 1, atom: { kind: "mix", row, column, layers } }];
}

/** The atom of a point that is one atom with weight 1, else null. @param {Point} point */
export function atomOf(point) {
  return point.length === 1 && point[0].weight === 1 ? point[0].atom : null;
}

/**
 * Σ weight·point with equal atoms put together and zero weights left out.
 * @param {[number, Point][]} summands
 * @returns {Point}
 */
export function sum(summands) {
  /** @type {Map<string, Term>} */
  const found = new Map();
  for (const [factor, point] of summands) {
    for (const { weight, atom } of point) {
      const key = formatAtom(atom);
      const before = found.get(key)?.weight ?? 0;
      found.set(key, { weight: rounded(before + factor * weight), atom });
    }
  }
  const terms = [...found.values()].filter((term) => term.weight !== 0);
  return terms.length ? terms : [{ weight: 0, atom: summands[0][1][0].atom }];
}

/** The point at share `t` of the way from `a` to `b`. @param {Point} a @param {Point} b @param {number} t */
export function blend(a, b, t) {
  return sum([
    [1 - t, a],
    [t, b],
  ]);
}

/** @param {Point} point @returns {string} */
export function formatPoint(point) {
  return point.map(({ weight, atom }) => (weight === 1 ? "" : `${rounded(weight)}*`) + formatAtom(atom)).join(";");
}

/** @param {Point[]} points */
export function formatPoints(points) {
  return points.map(formatPoint).join(",");
}

/**
 * Why a point is more than addresses and the service take, or "". Points that the page makes of others can grow so.
 * @param {Point} point @param {number} [depth] how many mixes it stands in
 * @returns {string}
 */
export function refusal(point, depth = 0) {
  if (depth > MAX_DEPTH) return `Mixes of mixes go at most ${MAX_DEPTH} deep, and this one goes deeper.`;
  if (point.length > MAX_TERMS) return `A sum has at most ${MAX_TERMS} galaxies, and this one has ${point.length}.`;
  for (const { atom } of point) {
    const inner = atom.kind === "mix" ? refusal(atom.row, depth + 1) || refusal(atom.column, depth + 1) : "";
    if (inner) return inner;
  }
  return "";
}

/** @param {string} text @returns {Point} @throws {Error} in plain words, where the text names no point */
export function parsePoint(text) {
  const reader = new Reader(text);
  const point = reader.point(0);
  reader.end();
  return point;
}

/** Points of a list; what names no point is left out. @param {string} text @returns {Point[]} */
export function parsePoints(text) {
  return text.split(",").flatMap((each) => {
    try {
      return each ? [parsePoint(each)] : [];
    } catch {
      return [];
    }
  });
}

/** A short name: `Galaxy 42`, `Mix of 42 and 7`. @param {Point} point */
export function nameOf(point) {
  const atom = atomOf(point);
  if (!atom)
    return point.length === 1 ? `${signed(point[0].weight)} × ${nameOfAtom(point[0].atom)}` : `Blend of ${point.length} galaxies`;
  return nameOfAtom(atom);
}

/** `More like galaxy 42`. @param {Point} point */
export function moreLike(point) {
  return `More like ${nameOf(point).replace(/^./, (first) => first.toLowerCase())}`;
}

/** The whole truth in words, for alternative texts. @param {Point} point @param {string} [drawnClass] class that the seed drew */
export function describe(point, drawnClass) {
  const atom = atomOf(point);
  if (atom) return describeAtom(atom, drawnClass);
  return point
    .map(
      ({ weight, atom: one }, i) =>
        `${i === 0 ? (weight < 0 ? "minus " : "") : weight < 0 ? " minus " : " plus "}${rounded(Math.abs(weight))} times ${describeAtom(one)}`,
    )
    .join("");
}

/** A class name as people write it. @param {string} name */
export function classLabel(name) {
  return CLASS_WORDS[name] ?? name.replaceAll("_", " ");
}

/** What a class is, where its name does not say so, or "". @param {string} name */
export function classMeaning(name) {
  return CLASS_MEANINGS[name] ?? "";
}

/** A weight with its sign, `+0.5` or `−1`. @param {number} weight */
export function signed(weight) {
  return `${weight < 0 ? "−" : "+"}${rounded(Math.abs(weight))}`;
}

/** @param {Atom} atom @returns {string} */
function nameOfAtom(atom) {
  if (atom.kind === "mean") return "Mean galaxy";
  if (atom.kind === "seed") return `Galaxy ${atom.seed}`;
  return `Mix of ${brief(atom.row)} and ${brief(atom.column)}`;
}

/** @param {Point} point */
function brief(point) {
  const atom = atomOf(point);
  return atom?.kind === "seed" ? String(atom.seed) : nameOf(point).toLowerCase();
}

/** @param {Atom} atom @param {string} [drawnClass] @returns {string} */
function describeAtom(atom, drawnClass) {
  if (atom.kind === "mean") return "the mean galaxy";
  if (atom.kind === "mix") return `${describe(atom.row)} with layers ${atom.layers.join(", ")} of ${describe(atom.column)}`;
  const className = atom.class ?? drawnClass;
  return `galaxy ${atom.seed}${className ? `, ${classLabel(className)}` : ""}`;
}

/** @param {Atom} atom @returns {string} */
function formatAtom(atom) {
  if (atom.kind === "mean") return "mean";
  if (atom.kind === "mix") return `mix(${formatPoint(atom.row)}:${formatPoint(atom.column)}:${atom.layers.join(".")})`;
  return atom.seed + (atom.class ? `~${encodeURIComponent(atom.class).replace(/[()*~]/g, escaped)}` : "");
}

/** @param {string} text */
function brieflyShown(text) {
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}

/** @param {string} sign */
function escaped(sign) {
  return `%${sign.charCodeAt(0).toString(16)}`;
}

/** @param {number} value */
function rounded(value) {
  return Number(value.toFixed(4));
}

/** Reads the text form from left to right. */
class Reader {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  /** @param {number} depth @returns {Point} */
  point(depth) {
    const terms = depth > MAX_DEPTH ? [] : [this.term(depth)];
    while (terms.length && this.skip(";")) terms.push(this.term(depth));
    const refused = refusal(terms, depth);
    if (refused) throw new Error(refused);
    return terms;
  }

  /** @param {number} depth @returns {Term} */
  term(depth) {
    const weight = this.match(/(-?\d+(?:\.\d+)?)\*/y);
    return { weight: weight ? Number(weight[1]) : 1, atom: this.atom(depth) };
  }

  /** @param {number} depth @returns {Atom} */
  atom(depth) {
    if (this.skip("mean")) return { kind: "mean" };
    if (this.skip("mix(")) {
      const row = this.point(depth + 1);
      this.expect(":");
      const column = this.point(depth + 1);
      this.expect(":");
      const layers = this.match(/\d+(?:\.\d+)*/y);
      if (!layers) throw new Error(`${this.shown} names no layers at ${this.at}`);
      this.expect(")");
      return { kind: "mix", row, column, layers: layers[0].split(".").map(Number) };
    }
    const seed = this.match(/\d+/y);
    if (!seed || Number(seed[0]) > MAX_SEED) throw new Error(`${this.shown} names no galaxy: a galaxy is a number from 0 to ${MAX_SEED}`);
    const className = this.match(/~([^;:,()*~]+)/y);
    return className
      ? { kind: "seed", seed: Number(seed[0]), class: this.decoded(className[1]) }
      : { kind: "seed", seed: Number(seed[0]) };
  }

  /** @param {string} text percent-encoded */
  decoded(text) {
    try {
      return decodeURIComponent(text);
    } catch {
      throw new Error(`${this.shown} names a class that is no text: "${text}"`);
    }
  }

  /** The text as messages name it. */
  get shown() {
    return this.text ? `"${brieflyShown(this.text)}"` : "An empty text";
  }

  end() {
    if (this.at < this.text.length) throw new Error(`${this.shown} is not understood from "${brieflyShown(this.text.slice(this.at))}" on`);
  }

  /** @param {string} token */
  expect(token) {
    if (!this.skip(token)) throw new Error(`${this.shown} lacks "${token}" at ${this.at}`);
  }

  /** @param {string} token */
  skip(token) {
    if (!this.text.startsWith(token, this.at)) return false;
    this.at += token.length;
    return true;
  }

  /** @param {RegExp} pattern sticky */
  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found) this.at = pattern.lastIndex;
    return found;
  }
}
