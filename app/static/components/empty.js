/** What a view shows while it lacks slots to work with. */

import { Link, usePage } from "../page.js";
import { anySeed, seedPoint } from "../point.js";
import { html } from "../vendor/preact-htm.js";

/** @param {{needed: number, children: any}} props */
export function NeedsSlots({ needed, children }) {
  const { state, go } = usePage();
  const missing = needed - state.slots.length;
  const fill = () => {
    const start = anySeed();
    go({ slots: [...state.slots, ...Array.from({ length: missing }, (_, i) => seedPoint(start + i))] });
  };
  return html`<div class="empty">
    <p>${children}</p>
    <div class="row"><button class="button primary" onClick=${fill}>Take ${missing === 1 ? "one" : missing === 2 ? "two"
      : missing} at random</button><${Link} class="button" to=${{ view: "gallery" }}>Choose in the gallery<//></div>
  </div>`;
}
