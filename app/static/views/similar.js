/** Neighbours of one galaxy in latent space. */

import { Chips, Slider, Variety } from "../components/controls.js";
import { Grid } from "../components/grid.js";
import { Tile } from "../components/tile.js";
import { Link, useLoaded, usePage } from "../page.js";
import { picture } from "../pictures.js";
import { atomOf, blend, classLabel, describe, formatPoint, mixPoint, nameOf, seedPoint } from "../point.js";
import { html } from "../vendor/preact-htm.js";

const COUNT = 20;
const FIRST = 1000;

export function Similar() {
  const { state, setting, card, go } = usePage();
  const point = state.at ?? seedPoint(0);
  const { value } = useLoaded(() => picture(setting, point, 128), [setting.model, setting.psi, formatPoint(point)]);
  const atom = atomOf(point);
  const className = atom?.kind === "seed" ? (atom.class ?? value?.className) : undefined;
  const styled = Boolean(card?.num_ws);
  const waiting = atom?.kind === "seed" && !className && card?.classes.length > 0; // for the class that the seed draws
  const near = waiting ? [] : neighbours(point, className, state.seed, COUNT, state.step, state, card);
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
      <h1>More like ${nameOf(point).replace(/^./, (first) => first.toLowerCase())}</h1>
      <p class="lead">${explain(state, className)}</p>
    </div>
    <div class="toolbar">
      <${Chips} label="Kind of neighbour" name="like" value=${state.like} options=${kinds} onChange=${(like) => go({ like })} />
      ${state.like === "near" ? html`<${Slider} label="Step" value=${state.step} min="0.05" max="1" step="0.05"
        shown=${(step) => `${Math.round(step * 100)} %`} onChange=${(step) => go({ step }, { replace: true })} />` : null}
      <${Variety} />
      <button class="button" onClick=${() => go({ seed: state.seed + COUNT })}>Other neighbours</button>
    </div>
    <${Grid} label="Neighbours">
      ${[
        html`<${Tile} key="itself" point=${point} note="this one" />`,
        ...near.map((one) => html`<${Tile} key=${formatPoint(one.point)} point=${one.point} name=${one.name} />`),
      ]}
    <//>
  </div>`;
}

/**
 * Points near `point`: towards other seeds of its class, or (style models) mixed with them.
 * @param {import("../point.js").Point} point
 * @param {string | undefined} className
 * @param {number} start added to the first neighbour's seed
 * @param {number} count
 * @param {number} step share of the way
 * @param {{like: string}} state
 * @param {any} card
 * @returns {{point: import("../point.js").Point, name: string}[]}
 */
export function neighbours(point, className, start, count, step, { like }, card) {
  if (!card) return [];
  return Array.from({ length: count }, (_, i) => {
    const seed = FIRST + start + i;
    const other = seedPoint(seed, className);
    if (like === "near" || !card.num_ws) return { point: blend(point, other, step), name: `→ ${seed}` };
    const { coarse, ...finer } = card.layers;
    const layers = like === "shape" ? Object.values(finer).flat() : coarse;
    return { point: mixPoint(point, other, /** @type {number[]} */ (layers)), name: `× ${seed}` };
  });
}

/** @param {import("../address.js").State} state @param {string | undefined} className */
function explain(state, className) {
  const kind = className ? `${classLabel(className)} galaxies` : "galaxies";
  if (state.like === "shape")
    return `Each keeps its coarse layers, which set shape and tilt, and takes the finer ones from other ${kind}.`;
  if (state.like === "detail")
    return `Each keeps its finer layers, which set colour and texture, and takes the coarse ones from other ${kind}.`;
  const share = `${Math.round(state.step * 100)} % of the way, along a straight line,`;
  return `Small steps in latent space: each lies ${share} towards the galaxy whose seed is named. All are ${kind}.`;
}
