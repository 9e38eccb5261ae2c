/** One galaxy of a grid: its picture, its name, and what can be done with it. */

import * as favourites from "../favourites.js";
import { Link, referenceOf, useLoaded, usePage } from "../page.js";
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
 * A galaxy as a picture that is loading, there, or missing. Until the picture of another variety is there, the one before stays; that of
 * another galaxy never stands in its place.
 * @param {{point: Point, size?: number, setting?: import("../requests.js").Setting, onLoad?: (shown: Shown) => void, alt?: string,
 *   source?: Source, live?: boolean, wrap?: (picture: any) => any}} props live: what is before one's eyes changes by a slider, so the
 *   galaxy before stays too, with its own alternative text; wrap: what stands around it (a link), unless it is missing
 */
export function GalaxyImage({
  point,
  size = TILE_PIXELS,
  setting,
  onLoad,
  alt,
  source,
  live = false,
  wrap = (picture) => picture,
}) {
  const page = usePage();
  const used = setting ?? page.setting;
  const refused = source ? "" : refusal(point);
  const galaxy = `${used.model} ${formatPoint(point)}`;
  const { value, error, busy, retry } = useLoaded(
    async (signal) => {
      if (refused) return null;
      const made = await (source?.load(signal) ?? picture(used, point, size, signal));
      return { ...made, galaxy, alt: alt ?? `Synthetic galaxy: ${describe(point, made.className)}` };
    },
    [galaxy, used.psi, size, source?.key],
  );
  useEffect(() => void (value && onLoad?.(value)), [value]);
  if (refused || (error && !busy)) {
    return html`<span class="well failed"><span class="failed-text">${refused || error}</span>
      ${refused || !retry ? null : html`<button class="button small" onClick=${retry}>Try again</button>`}</span>`;
  }
  const shown = value?.url && (live || value.galaxy === galaxy) ? value : null;
  return wrap(html`<span class=${shown ? (busy ? "well busy" : "well") : "well loading"}>
    ${shown ? html`<img src=${shown.url} alt=${shown.alt} width=${size} height=${size} decoding="async" />`
      : html`<span class="unseen">${alt ?? `Synthetic galaxy, on its way: ${describe(point)}`}</span>`}
  </span>`);
}

/** @param {{point: Point, setting?: import("../requests.js").Setting, name?: string, note?: string, source?: Source}} props */
export function Tile({ point, setting, name, note, source }) {
  const page = usePage();
  const used = setting ?? page.setting;
  const [drawn, setDrawn] = useState(/** @type {{model: string, className?: string} | null} */ (null));
  const atom = atomOf(point);
  const title = name ?? (atom?.kind === "seed" ? String(atom.seed) : nameOf(point));
  const drew = drawn?.model === used.model ? drawn.className : undefined; // another model draws another class for the seed
  const className = note ?? (atom?.kind === "seed" ? (atom.class ?? drew) : undefined);
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
    <${GalaxyImage} point=${point} setting=${setting} source=${source}
      onLoad=${(made) => setDrawn({ model: used.model, className: made.className })}
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
  const page = usePage();
  const { state, go, say } = page;
  const one = { model: setting.model, psi: varietyOf(setting, page), point: formatPoint(point) };
  const favoured = useFavoured(one);
  return {
    favoured,
    favour() {
      say(favourites.toggle(one) ? `${nameOf(point)} is a favourite now` : `${nameOf(point)} is no favourite any more`);
    },
    add() {
      if (state.slots.length >= MAX_SLOTS) return say(`All ${MAX_SLOTS} slots are taken. Empty one below.`);
      const refused = refusal(point) || misfit(point, setting, page);
      if (refused) return say(refused);
      const own = setting.model === page.setting.model ? {} : { model: setting.model, class: "", layers: [] };
      const psi = one.psi === varietyOf(page.setting, page) ? state.psi : setting.psi;
      go({ slots: [...state.slots, point], ...own, psi });
      return say(`${nameOf(point)} is in slot ${letter(state.slots.length)}${own.model ? `; the page shows ${own.model} now` : ""}`);
    },
    similar() {
      go({ view: "similar", at: point, model: setting.model, psi: setting.psi });
    },
  };
}

/**
 * Why a galaxy cannot stand beside those in the slots, or "". Slots are galaxies of the page's model at the page's variety: of
 * another one this would become another galaxy.
 * @param {Point} point @param {import("../requests.js").Setting} setting of the galaxy @param {import("../page.js").PageValue} page
 */
function misfit(point, setting, page) {
  const { models, state } = page;
  const name = nameOf(point);
  if (setting.model !== page.setting.model) {
    if (!models.some((one) => referenceOf(one) === setting.model)) return `${name} is of ${setting.model}, which this service lacks.`;
    return state.slots.length
      ? `${name} is of ${setting.model}, the slots are of ${page.setting.model}. Choose that model above first, or empty the slots.`
      : "";
  }
  const [its, theirs] = [varietyOf(setting, page), varietyOf(page.setting, page)];
  return its === theirs || state.slots.length === 0
    ? ""
    : `${name} is at variety ψ ${its}, the slots are at ψ ${theirs}. Open it first (the slots then follow), or empty the slots.`;
}

/**
 * Truncation ψ of a setting, as a number where the model's own is known.
 * @param {import("../requests.js").Setting} setting @param {import("../page.js").PageValue} page
 */
function varietyOf(setting, { card }) {
  return setting.psi ?? card?.truncation ?? null;
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
