/** Requests of the API for what the page shows: bodies from points, the same for the service and for "copy as code". */

import { atomOf, refusal } from "./point.js";

/** @typedef {import("./point.js").Point} Point */
/** @typedef {{seed: number, class?: string} | {mean: true} | {w: number[] | number[][]} | {z: number[]}} Latent */
/** @typedef {{model: string, psi: number | null}} Setting model version and truncation (null: the card's) */
/** @typedef {{operation: string, body: Record<string, any>}} Request */
/** @typedef {(point: Point) => Promise<Latent>} Resolve gives the latent of a point that is not one atom */

/** @param {Setting} setting */
function common({ model, psi }) {
  return psi === null ? { model } : { model, truncation: psi };
}

/** The latent of a point that is a seed or the mean, else null. @param {Point} point @returns {Latent | null} */
export function plainLatent(point) {
  const atom = atomOf(point);
  if (atom?.kind === "seed") return atom.class ? { seed: atom.seed, class: atom.class } : { seed: atom.seed };
  return atom?.kind === "mean" ? { mean: true } : null;
}

/**
 * What makes the galaxy at `point`.
 * @param {Setting} setting @param {Point} point @param {Resolve} resolve @returns {Promise<Request>}
 * @throws {Error} in plain words, where the point is more than the service takes
 */
export async function galaxyRequest(setting, point, resolve) {
  const refused = refusal(point);
  if (refused) throw new Error(refused);
  const atom = atomOf(point);
  if (atom?.kind === "mix") {
    const [row, column] = await Promise.all([resolve(atom.row), resolve(atom.column)]);
    return {
      operation: "mix",
      body: { ...common(setting), rows: [row], columns: [column], layers: atom.layers, headers: false },
    };
  }
  if (atom?.kind === "seed") {
    return { operation: "generate", body: { ...common(setting), seeds: [atom.seed], ...(atom.class ? { class: atom.class } : {}) } };
  }
  if (atom) return { operation: "generate", body: { ...common(setting), latents: [plainLatent(point)] } };
  const terms = await Promise.all(
    point.map(async ({ weight, atom: one }) => ({ latent: await resolve([{ weight: 1, atom: one }]), weight })),
  );
  return { operation: "arithmetic", body: { ...common(setting), terms } };
}

/**
 * @param {Setting} setting
 * @param {Point[]} slots
 * @param {{frames: number, curve: string, space: string, loop: boolean, fps: number}} film
 * @param {Resolve} resolve
 * @returns {Promise<Request>}
 */
export async function filmRequest(setting, slots, { frames, curve, space, loop, fps }, resolve) {
  const path = await Promise.all(slots.map(resolve));
  return { operation: "interpolate", body: { ...common(setting), path, frames, curve, ...(space ? { space } : {}), loop, fps } };
}

/**
 * @param {Setting} setting
 * @param {Point[]} rows
 * @param {Point[]} columns
 * @param {number[]} layers
 * @param {Resolve} resolve
 * @returns {Promise<Request>}
 */
export async function mixRequest(setting, rows, columns, layers, resolve) {
  const [left, top] = await Promise.all([Promise.all(rows.map(resolve)), Promise.all(columns.map(resolve))]);
  return { operation: "mix", body: { ...common(setting), rows: left, columns: top, layers } };
}

/**
 * @param {Setting} setting
 * @param {Point[]} slots
 * @param {number[]} weights
 * @param {string} space
 * @param {Resolve} resolve
 * @returns {Promise<Request>}
 */
export async function sumRequest(setting, slots, weights, space, resolve) {
  const terms = await Promise.all(slots.map(async (point, i) => ({ latent: await resolve(point), weight: weights[i] })));
  return { operation: "arithmetic", body: { ...common(setting), terms, ...(space ? { space } : {}) } };
}
