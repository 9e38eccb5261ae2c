/** Neighbours of one galaxy in latent space. */

import { Chips, Slider, Variety } from "../components/controls.js";
import { Grid } from "../components/grid.js";
import { TILE_PIXELS, Tile } from "../components/tile.js";
import { Link, useLoaded, usePage } from "../page.js";
import { picture } from "../pictures.js";
import { atomOf, blend, classLabel, formatPoint, mixPoint, moreLike, nameOf, refusal, seedPoint } from "../point.js";
import { html } from "../vendor/preact-htm.js";

const COUNT = 20;
const FIRST = 1000;

export function Similar() {
  const { state, setting, card, go } = usePage();
  const point = /** @type {import("../point.js").Point} */ (state.at);
  const { value, busy } = useLoaded(
    (signal) => picture(setting, point, TILE_PIXELS, signal),
    [setting.model, setting.psi, formatPoint(point)],
  );
  const className = classOf(point, busy ? null : value?.className);
  const styled = Boolean(card?.num_ws);
  const near = neighbours(point, className, state.seed, COUNT, state.step, state.like, card);
  /** @type {[string, string][]} */
  const kinds = [
    ["near", "A little different"],
    ...(styled
      ? /** @type {[string, string][]} */ ([
          ["shape", "Same shape, other look"],
          ["detail", "Same look, other shape"],
        ])
      : []),
  ];
  return html`<div class="view">
    <div class="view-head">
      <p class="crumb"><${Link} to=${{ view: "galaxy", at: point }}>${nameOf(point)}<//></p>
      <h1>${moreLike(point)}</h1>
      <p class="lead">${explain(state, className)}</p>
    </div>
    <div class="toolbar">
      <${Chips} label="Kind of neighbour" name="like" value=${state.like} options=${kinds} onChange=${(like) => go({ like })} />
      ${state.like === "near" ? html`<${Slider} label="Step" value=${state.step} min="0.05" max="1" step="0.05"
        shown=${(step) => `${Math.round(step * 100)} %`} onChange=${(step) => go({ step }, { replace: true })} />` : null}
      <${Variety} />
      <button class="button" onClick=${() => go({ seed: state.seed + COUNT })}>Other neighbours</button>
    </div>
    <${Neighbours} near=${near} count=${COUNT} first=${[html`<${Tile} key="itself" point=${point} note="this one" />`]} />
  </div>`;
}

/** @typedef {{point: import("../point.js").Point, name: string}} Neighbour */

/**
 * The class that the neighbours of a seed share with it: its own, else the one that it draws.
 * @param {import("../point.js").Point} point
 * @param {string | null | undefined} drawn null: not known yet; undefined: none
 */
export function classOf(point, drawn) {
  const atom = atomOf(point);
  return atom?.kind === "seed" ? (atom.class ?? drawn) : undefined;
}

/**
 * Points near `point`: towards other seeds of its class, or (style models) mixed with them.
 * @param {import("../point.js").Point} point
 * @param {string | null | undefined} className null: not known yet
 * @param {number} start added to the first neighbour's seed
 * @param {number} count
 * @param {number} step share of the way
 * @param {string} like
 * @param {any} card
 * @returns {Neighbour[] | null} null where they cannot be named yet
 */
export function neighbours(point, className, start, count, step, like, card) {
  if (!card || (className === null && card.classes.length)) return null;
  return Array.from({ length: count }, (_, i) => {
    const seed = FIRST + start + i;
    const other = seedPoint(seed, className ?? undefined);
    if (like === "near" || !card.num_ws) return { point: blend(point, other, step), name: `→ ${seed}` };
    const { coarse, ...finer } = card.layers;
    const layers = like === "shape" ? Object.values(finer).flat() : coarse;
    return { point: mixPoint(point, other, /** @type {number[]} */ (layers)), name: `× ${seed}` };
  });
}

/**
 * Neighbours as tiles, or places for them while they cannot be named.
 * @param {{near: Neighbour[] | null, count: number, first?: any[], className?: string}} props first: tiles before them
 */
export function Neighbours({ near, count, first = [], className = "grid" }) {
  const refused = near?.map(({ point }) => refusal(point)).find(Boolean);
  if (refused) return html`<p class="error">${refused}</p>`;
  const tiles = near
    ? near.map((one) => html`<${Tile} key=${formatPoint(one.point)} point=${one.point} name=${one.name} />`)
    : Array.from({ length: count }, (_, i) => html`<div key=${i} class="tile"><span class="well loading"></span>
      <div class="tile-foot"></div></div>`);
  return html`<${Grid} label="Neighbours" className=${className}>${[...first, ...tiles]}<//>`;
}

/** @param {import("../address.js").State} state @param {string | null | undefined} className */
function explain(state, className) {
  const kind = className ? `${classLabel(className)} galaxies` : "galaxies";
  if (state.like === "shape")
    return `Each keeps its coarse layers, which set shape and tilt, and takes the finer ones from other ${kind}.`;
  if (state.like === "detail")
    return `Each keeps its finer layers, which set colour and texture, and takes the coarse ones from other ${kind}.`;
  const share = `${Math.round(state.step * 100)} % of the way, along a straight line,`;
  return `Small steps in latent space: each lies ${share} towards the galaxy whose seed is named. All are ${kind}.`;
}
