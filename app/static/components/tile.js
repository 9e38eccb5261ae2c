/** One galaxy of a grid: its picture, its name, and what can be done with it. */

import * as favourites from "../favourites.js";
import { Link, useLoaded, usePage } from "../page.js";
import { picture } from "../pictures.js";
import { atomOf, classLabel, describe, formatPoint, nameOf } from "../point.js";
import { html, useEffect, useState } from "../vendor/preact-htm.js";
import { Icon } from "./icons.js";

/** @typedef {import("../point.js").Point} Point */
/** @typedef {{url: string | null, className?: string}} Given what is shown, or (url null) awaited */

export const MAX_SLOTS = 8;
const TILE_PIXELS = 128;

/**
 * A galaxy as a picture that is loading, there, or missing.
 * @param {{point: Point, size?: number, setting?: import("../requests.js").Setting, onLoad?: (shown: Given) => void, alt?: string, given?: Given}} props
 *   given: the picture, where it comes from elsewhere (a grid that is one result)
 */
export function GalaxyImage({ point, size = TILE_PIXELS, setting, onLoad, alt, given }) {
  const page = usePage();
  const used = setting ?? page.setting;
  const { value, error, busy, retry } = useLoaded(
    () => /** @type {Promise<Given>} */ (given ? Promise.resolve(given) : picture(used, point, size)),
    [used.model, used.psi, formatPoint(point), size, given?.url],
  );
  useEffect(() => void (value && onLoad?.(value)), [value]);
  if (error) {
    return html`<span class="well failed"><span class="failed-text">${error}</span>
      <button class="button small" onClick=${(event) => {
        event.preventDefault();
        event.stopPropagation();
        retry();
      }}>Try again</button></span>`;
  }
  return html`<span class=${value?.url ? (busy ? "well busy" : "well") : "well loading"}>
    ${value?.url ? html`<img src=${value.url} alt=${alt ?? `Synthetic galaxy: ${describe(point, value.className)}`}
      width=${size} height=${size} decoding="async" />` : null}
  </span>`;
}

/** @param {{point: Point, setting?: import("../requests.js").Setting, name?: string, note?: string, given?: Given}} props */
export function Tile({ point, setting, name, note, given }) {
  const page = usePage();
  const used = setting ?? page.setting;
  const [drawn, setDrawn] = useState(/** @type {string | undefined} */ (undefined));
  const atom = atomOf(point);
  const title = name ?? (atom?.kind === "seed" ? String(atom.seed) : nameOf(point));
  const className = note ?? (atom?.kind === "seed" ? (atom.class ?? drawn) : undefined);
  const to = { view: "galaxy", at: point, model: used.model, psi: used.psi };
  const acts = useActs(point, used);
  const keys = (event) => {
    const act = { "+": acts.add, "*": acts.favour, "=": acts.similar }[event.key];
    if (!act || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    act();
  };
  return html`<div class="tile">
    <${Link} class="tile-link" to=${to} onKeyDown=${keys}>
      <${GalaxyImage} point=${point} setting=${setting} given=${given} onLoad=${(made) => setDrawn(made.className)} /><//>
    <div class="tile-foot">
      <span class="tile-name"><b>${title}</b>${className ? html` <span>${classLabel(className)}</span>` : null}</span>
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
