/** The slots A, B, C …: galaxies to work with, at hand in every view. */

import { Link, usePage } from "../page.js";
import { describe, formatPoint, nameOf } from "../point.js";
import { html, useState } from "../vendor/preact-htm.js";
import { Icon } from "./icons.js";
import { GalaxyImage, letter } from "./tile.js";

export function Tray() {
  const { state, go, say } = usePage();
  const { slots } = state;
  const empty = (index) => {
    go({ slots: slots.filter((_, i) => i !== index), weights: state.weights.filter((_, i) => i !== index) });
    say(`Slot ${letter(index)} is empty`);
  };
  return html`<section class="tray" aria-label="Slots">
    ${slots.length === 0 ? html`<p class="tray-hint">Put galaxies that you like here with <b>+</b>, then make a film of them,
      mix their styles, or add and subtract them.</p>` : null}
    <ol class="slots">
      ${slots.map(
        (point, i) => html`<li class="slot" key=${`${i} ${formatPoint(point)}`}>
          <${Slot} point=${point} index=${i} />
          <button class="slot-empty" onClick=${() => empty(i)} aria-label=${`Empty slot ${letter(i)}, ${nameOf(point)}`}>
            <${Icon} name="close" /></button>
        </li>`,
      )}
    </ol>
    ${
      slots.length
        ? html`<div class="tray-acts">
          ${[
            ["film", "Film"],
            ["mix", "Mix"],
            ["sum", "Sum"],
          ].map(
            ([view, title]) =>
              html`<${Link} key=${view} class=${state.view === view ? "button small here" : "button small"} to=${{ view }}
                aria-label=${`${title} of the slots`} aria-current=${state.view === view ? "page" : undefined}>${title}<//>`,
          )}
          <button class="button small quiet" onClick=${() => go({ slots: [], weights: [] })}>Empty all</button>
        </div>`
        : null
    }
  </section>`;
}

/** @param {{point: import("../point.js").Point, index: number}} props */
function Slot({ point, index }) {
  const { setting } = usePage();
  const [drawn, setDrawn] = useState(/** @type {{model: string, className?: string} | null} */ (null));
  const what = describe(point, drawn?.model === setting.model ? drawn.className : undefined);
  const linked = (picture) => html`<${Link} to=${{ view: "galaxy", at: point }} title=${what}
    aria-label=${`Slot ${letter(index)}: ${what}`}>${picture}<span class="slot-letter" aria-hidden="true">${letter(index)}</span><//>`;
  if (!setting.model) return linked(null);
  return html`<${GalaxyImage} point=${point} alt="" wrap=${linked}
    onLoad=${({ className }) => setDrawn({ model: setting.model, className })} />`;
}
