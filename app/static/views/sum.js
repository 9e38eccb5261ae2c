/** Arithmetic with the slots: A − B + C, or any weights. */

import { Chips, NumberInput, Variety } from "../components/controls.js";
import { NeedsSlots } from "../components/empty.js";
import { Icon } from "../components/icons.js";
import { TakeHome } from "../components/takehome.js";
import { GalaxyImage, letter, useActs } from "../components/tile.js";
import { Link, usePage, useSettled } from "../page.js";
import { latentOf, pictureOf } from "../pictures.js";
import { classLabel, describe, formatPoint, formatPoints, nameOf, signed, sum } from "../point.js";
import { sumRequest } from "../requests.js";
import { html, useRef, useState } from "../vendor/preact-htm.js";
import { classOf } from "./similar.js";

/** @type {[string, string][]} */
const FORMATS = [
  ["png", "PNG"],
  ["fits", "FITS"],
  ["zip", "ZIP"],
];

const LARGE = 512;

/** Ways to begin, by number of slots. @type {[string, (count: number) => number[]][]} */
const PRESETS = [
  ["A − B + C", (count) => Array.from({ length: count }, (_, i) => [1, -1, 1][i] ?? 0)],
  ["Average", (count) => Array.from({ length: count }, () => Number((1 / count).toFixed(4)))],
  ["A + ½ (A − B)", (count) => Array.from({ length: count }, (_, i) => [1.5, -0.5][i] ?? 0)],
];

export function Sum() {
  const { state } = usePage();
  return html`<div class="view">
    <div class="view-head"><h1>Sum</h1><p class="lead">Add and subtract galaxies in latent space: a merger minus an
      elliptical plus a spiral, or any weights you like.</p></div>
    ${state.slots.length < 2 ? html`<${NeedsSlots} needed=${3}>A sum needs two or more slots; A − B + C needs three.<//>`
      : html`<${SumOfSlots} />`}
  </div>`;
}

function SumOfSlots() {
  const { state, setting, card, go } = usePage();
  const { slots } = state;
  const weights = weightsOf(slots.length, state.weights);
  const point = sum(slots.map((slot, i) => [weights[i], slot]));
  const space = card?.num_ws ? state.space || "w" : "";
  const inZ = space === "z"; // then the result is no point that the page can name: those are sums in w
  const key = [setting.model, setting.psi, formatPoints(slots), weights.join(), space].join(" ");
  const weigh = (/** @type {number} */ index, /** @type {number} */ weight) =>
    go({ weights: weights.map((one, i) => (i === index ? weight : one)) }, { replace: true });
  const request = (/** @type {AbortSignal} */ signal) =>
    sumRequest(setting, slots, weights, inZ ? "z" : "", (one) => latentOf(setting, one, signal));
  const result = useRest({ key, point, alt: `Synthetic galaxy: ${describe(point)}${inZ ? ", added in z" : ""}`,
    source: inZ ? { key, load: (/** @type {AbortSignal} */ signal) => pictureOf(request, key, LARGE, signal) } : undefined });
  return html`<div class="sum">
    <div class="stack wide-stack">
      <div class="row">${PRESETS.map(([title, make]) => html`<button key=${title} class="button small"
        onClick=${() => go({ weights: make(slots.length) })}>${title}</button>`)}</div>
      <ol class="terms">${slots.map((slot, i) => html`<${Term} key=${`${setting.model} ${i} ${formatPoint(slot)}`}
        point=${slot} index=${i} weight=${weights[i]} onWeight=${(weight) => weigh(i, weight)} />`)}</ol>
      ${space ? html`<${Chips} label="Space" hideLabel=${false} name="space" value=${space} options=${[
        ["w", "w"],
        ["z", "z"],
      ]} onChange=${(value) => go({ space: value === "w" ? "" : value })} />` : null}
      <${Variety} />
    </div>
    <section class="stack wide-stack" aria-label="Result">
      <h2 class="equation">${slots.map((_, i) => html`<span key=${i}>${signed(weights[i])} ${letter(i)} </span>`)}=</h2>
      <${GalaxyImage} point=${result.point} size=${LARGE} source=${result.source} alt=${result.alt} live />
      ${inZ ? html`<p class="small-print">To go on with the result, add in w.</p>` : html`<${ResultActs} point=${point} />`}
      <${TakeHome} formats=${FORMATS} request=${request} extra=${(format) => (format === "fits" ? {} : { show_terms: true })}
        name=${`${setting.model.replace("@", "-")}-sum`}
          remake=${[key]} />
      <p class="small-print">PNG and ZIP show the terms beside the result.</p>
    </section>
  </div>`;
}

/** `now` as it was when its key last stood still. @template {{key: string}} T @param {T} now @returns {T} */
function useRest(now) {
  const settled = useSettled(now.key, 120);
  const last = useRef(now);
  if (now.key === settled) last.current = now;
  return last.current;
}

/** @param {{point: import("../point.js").Point, index: number, weight: number, onWeight: (weight: number) => void}} props */
function Term({ point, index, weight, onWeight }) {
  const [drawn, setDrawn] = useState(/** @type {string | undefined} */ (undefined));
  const className = classOf(point, drawn);
  const name = `Weight of ${letter(index)}, ${nameOf(point)}`;
  return html`<li class="term">
    <span class="term-picture"><${GalaxyImage} point=${point} alt="" onLoad=${({ className: found }) => setDrawn(found)} />
      <span class="slot-letter" aria-hidden="true">${letter(index)}</span></span>
    <div class="term-controls">
      <span class="term-name">${nameOf(point)}${className ? `, ${classLabel(className)}` : ""}</span>
      <div class="term-weight">
        <input type="range" min="-2" max="2" step="0.05" value=${weight} aria-label=${name}
          onInput=${(event) => onWeight(Number(event.target.value))} />
        <${NumberInput} step="0.05" min=${-1000} max=${1000} value=${weight} onChange=${onWeight}
          aria-label=${`${name}, as a number`} />
      </div>
    </div>
  </li>`;
}

/** @param {{point: import("../point.js").Point}} props */
function ResultActs({ point }) {
  const { setting } = usePage();
  const acts = useActs(point, setting);
  return html`<div class="row">
    <${Link} class="button" to=${{ view: "galaxy", at: point }}>Open the result<//>
    <button class="button" onClick=${acts.add}><${Icon} name="plus" /> Into the next slot</button>
    <button class="button" onClick=${acts.favour} aria-pressed=${acts.favoured}>
      <${Icon} name="heart" filled=${acts.favoured} /> Favourite</button>
  </div>`;
}

/**
 * A weight for each slot: those given, then those of the first preset (an average where there are only two).
 * @param {number} count
 * @param {number[]} given
 */
function weightsOf(count, given) {
  const usual = PRESETS[count === 2 ? 1 : 0][1](count);
  return usual.map((weight, i) => given[i] ?? (given.length ? 0 : weight));
}
