/** One galaxy of a grid: its picture, its name, and what can be done with it. */

import * as favourites from "../favourites.js";
import { Link, useLoaded, usePage } from "../page.js";
import { picture } from "../pictures.js";
import { atomOf, classLabel, describe, formatPoint, nameOf, refusal } from "../point.js";
import { html, useEffect, useState } from "../vendor/preact-htm.js";
import { Icon } from "./icons.js";

/** @typedef {import("../point.js").Point} Point */
/** @typedef {{url: string | null, className?: string}} Shown url null: it is awaited */
/** @typedef {{key: string, load: (signal: AbortSignal) => Promise<Shown>}} Source of a picture that is not that of a point alone */

const MAX_SLOTS = 8;
export const TILE_PIXELS = 128;

/**
 * A galaxy as a picture that is loading, there, or missing.
 * @param {{point: Point, size?: number, setting?: import("../requests.js").Setting, onLoad?: (shown: Shown) => void, alt?: string,
 *   source?: Source, wrap?: (picture: any) => any}} props wrap: what stands around it (a link), unless it is missing
 */
export function GalaxyImage({ point, size = TILE_PIXELS, setting, onLoad, alt, source, wrap = (picture) => picture }) {
  const page = usePage();
  const used = setting ?? page.setting;
  const refused = source ? "" : refusal(point);
  const { value, error, busy, retry } = useLoaded(
    (signal) => (refused ? Promise.resolve(null) : (source?.load(signal) ?? picture(used, point, size, signal))),
    [used.model, used.psi, formatPoint(point), size, source?.key],
  );
  useEffect(() => void (value && onLoad?.(value)), [value]);
  if (refused || error) {
    return html`<span class="well failed"><span class="failed-text">${refused || error}</span>
      ${refused || !retry ? null : html`<button class="button small" onClick=${retry}>Try again</button>`}</span>`;
  }
  return wrap(html`<span class=${value?.url ? (busy ? "well busy" : "well") : "well loading"}>
    ${value?.url ? html`<img src=${value.url} alt=${alt ?? `Synthetic galaxy: ${describe(point, value.className)}`}
      width=${size} height=${size} decoding="async" />`
      : html`<span class="unseen">${alt ?? `Synthetic galaxy, on its way: ${describe(point)}`}</span>`}
  </span>`);
}

/** @param {{point: Point, setting?: import("../requests.js").Setting, name?: string, note?: string, source?: Source}} props */
export function Tile({ point, setting, name, note, source }) {
  const page = usePage();
  const used = setting ?? page.setting;
  const [drawn, setDrawn] = useState(/** @type {string | undefined} */ (undefined));
  const atom = atomOf(point);
  const title = name ?? (atom?.kind === "seed" ? String(atom.seed) : nameOf(point));
  const className = note ?? (atom?.kind === "seed" ? (atom.class ?? drawn) : undefined);
  const label = className && classLabel(className);
  const to = { view: "galaxy", at: point, model: used.model, psi: used.psi };
  const acts = useActs(point, used);
  const keys = (event) => {
    const act = { "+": acts.add, "*": acts.favour, "=": acts.similar }[event.key];
    if (!act || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    act();
  };
  return html`<div class="tile">
    <${GalaxyImage} point=${point} setting=${setting} source=${source} onLoad=${(made) => setDrawn(made.className)}
      wrap=${(picture) => html`<${Link} class="tile-link" to=${to} onKeyDown=${keys}>${picture}<//>`} />
    <div class="tile-foot">
      <span class="tile-name" title=${label && `${title} ${label}`}><b>${title}</b>${label ? html` <span>${label}</span>` : null}</span>
      <span class="tile-acts"><${Acts} acts=${acts} name=${nameOf(point)} /></span>
    </div>
  </div>`;
}

/** @param {{acts: ReturnType<typeof useActs>, name: string}} props */
function Acts({ acts, name }) {
  return html`<button class="icon-button" onClick=${acts.similar} aria-label=${`More like ${name}`} title="More like this">
    <${Icon} name="similar" /></button>
    <button class="icon-button" onClick=${acts.favour} aria-pressed=${acts.favoured} aria-label=${`Favourite: ${name}`}
      title="Favourite"><${Icon} name="heart" filled=${acts.favoured} /></button>
    <button class="icon-button" onClick=${acts.add} aria-label=${`Put ${name} into a slot`} title="Into the next slot">
      <${Icon} name="plus" /></button>`;
}

/** What can be done with a galaxy. @param {Point} point @param {import("../requests.js").Setting} setting */
export function useActs(point, setting) {
  const { state, go, say, card } = usePage();
  const one = { model: setting.model, psi: setting.psi ?? card?.truncation ?? null, point: formatPoint(point) };
  const favoured = useFavoured(one);
  return {
    favoured,
    favour() {
      say(favourites.toggle(one) ? `${nameOf(point)} is a favourite now` : `${nameOf(point)} is no favourite any more`);
    },
    add() {
      if (state.slots.length >= MAX_SLOTS) return say(`All ${MAX_SLOTS} slots are taken. Empty one below.`);
      const refused = refusal(point);
      if (refused) return say(refused);
      go({ slots: [...state.slots, point] });
      return say(`${nameOf(point)} is in slot ${letter(state.slots.length)}`);
    },
    similar() {
      go({ view: "similar", at: point, model: setting.model, psi: setting.psi });
    },
  };
}

/** The letter of a slot, from 0. @param {number} index */
export function letter(index) {
  return String.fromCharCode(65 + index);
}

/** @param {favourites.Favourite} one */
function useFavoured(one) {
  const [, redraw] = useState(0);
  useEffect(() => favourites.onChange(() => redraw((count) => count + 1)), []);
  return favourites.has(one);
}
