/** A picture of a style model's layers, coarse to fine: which of them come from the columns. */

import { html } from "../vendor/preact-htm.js";

const SAYS = { coarse: "shape and tilt", middle: "arms and bulge", fine: "colour and grain" };

/** @param {{card: any, chosen: number[], onChange: (layers: number[]) => void}} props */
export function Layers({ card, chosen, onChange }) {
  const toggle = (/** @type {number} */ layer) =>
    onChange(chosen.includes(layer) ? chosen.filter((one) => one !== layer) : [...chosen, layer].sort((a, b) => a - b));
  return html`<div class="layers" role="group" aria-label="Layers taken from the columns">
    ${Object.entries(card.layers).map(
      ([group, layers]) => html`<div class="layer-group" key=${group}>
        <div class="layer-row">${layers.map(
          (
            /** @type {number} */ layer,
          ) => html`<button key=${layer} class="layer" aria-pressed=${chosen.includes(layer)} onClick=${() => toggle(layer)}
          aria-label=${`Layer ${layer}, ${group}: from the ${chosen.includes(layer) ? "columns" : "rows"}`}
            title=${`Layer ${layer}`}>
          <${Mesh} cells=${2 + Math.round((layer / Math.max(1, card.num_ws - 1)) * 8)} /><span>${layer}</span>
        </button>`,
        )}</div>
        <button class="layer-name" onClick=${() => onChange(layers)}
          title=${`Take just the ${group} layers from the columns`}>
            <b>${group}</b> ${SAYS[/** @type {keyof SAYS} */ (group)] ?? ""}</button>
      </div>`,
    )}
    <p class="layer-key small-print"><span class="from-column" aria-hidden="true"></span> from the
      column <span class="from-row" aria-hidden="true"></span> from the row</p>
  </div>`;
}

/** Few large cells for a coarse layer, many small ones for a fine one. @param {{cells: number}} props */
function Mesh({ cells }) {
  const step = 28 / cells;
  const lines = Array.from({ length: cells - 1 }, (_, i) => `M${(i + 1) * step} 0v28M0 ${(i + 1) * step}h28`).join("");
  return html`<svg viewBox="0 0 28 28" width="28" height="28" aria-hidden="true">
    <rect width="28" height="28" rx="4" fill="currentColor" opacity="0.28" />
      <path d=${lines} stroke="currentColor" stroke-width="1" fill="none" /></svg>`;
}
