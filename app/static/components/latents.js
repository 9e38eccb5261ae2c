/** The numbers behind a galaxy: drawn, copied, saved. */

import { usePage } from "../page.js";
import { latentFrom, sameForAll } from "../galaxyfile.js";
import { formatPoint } from "../point.js";
import { html } from "../vendor/preact-htm.js";
import { save } from "./takehome.js";

/** @param {{fits: {value: import("../galaxyfile.js").GalaxyFile | null, error: string}, point: import("../point.js").Point}} props */
export function Latents({ fits, point }) {
  const { say, setting } = usePage();
  const found = fits.value;
  if (fits.error) return html`<p class="error">${fits.error}</p>`;
  if (!found) return html`<p class="soft latents-space">…</p>`;
  const json = () => JSON.stringify(latentFrom(found));
  const copy = () =>
    navigator.clipboard.writeText(json()).then(
      () => say("Copied"),
      () => say("The browser does not let the page copy"),
    );
  return html`<div class="stack latents-space">
    ${found.z ? html`<${Bars} name="z" values=${found.z} says="drawn from the seed" />` : null}
    ${found.w ? html`<${Bars} name="w" values=${found.w[0]}
      says=${sameForAll(found.w) ? `the same for all ${found.w.length} layers` : `layer 0 of ${found.w.length}`} />` : null}
    <div class="row"><button class="button small" onClick=${copy}>Copy as a latent</button>
      <button class="button small" onClick=${() => save(new Blob([JSON.stringify({ model: setting.model,
        point: formatPoint(point), z: found.z, w: found.w })]), "latents.json")}>Download JSON</button></div>
  </div>`;
}

/** @param {{name: string, values: number[], says: string}} props */
function Bars({ name, values, says }) {
  const most = Math.max(...values.map(Math.abs)) || 1;
  const bars = values.map((value, i) => `M${i + 0.5} 20v${(-value / most) * 19}`).join("");
  return html`<figure class="bars"><figcaption><b>${name}</b> <span
    class="soft">${values.length} numbers, ${says}; ±${most.toFixed(2)}</span></figcaption>
    <svg viewBox=${`0 0 ${values.length} 40`} preserveAspectRatio="none" role="img"
      aria-label=${`${name}: ${values.length} numbers within ±${most.toFixed(2)}`}>
        <path d=${bars} stroke="currentColor" stroke-width="0.7" fill="none" /></svg></figure>`;
}
