/** What a view shows while it lacks slots to work with. */

import { Link, usePage } from "../page.js";
import { seedPoint } from "../point.js";
import { html } from "../vendor/preact-htm.js";

/** @param {{needed: number, children: any}} props */
export function NeedsSlots({ needed, children }) {
  const { state, go } = usePage();
  const missing = needed - state.slots.length;
  const fill = () => {
    const start = crypto.getRandomValues(new Uint32Array(1))[0] % 100_000;
    go({ slots: [...state.slots, ...Array.from({ length: missing }, (_, i) => seedPoint(start + i))] });
  };
  return html`<div class="empty">
    <p>${children}</p>
    <div class="row"><button class="button primary" onClick=${fill}>Take ${missing === 1 ? "one" : missing === 2 ? "two" : missing} at random</button><${Link} class="button" to=${{ view: "gallery" }}>Choose in the gallery<//></div>
  </div>`;
}
