/** How the page works, in one look. */

import { apiKey, setApiKey } from "../api.js";
import { html } from "../vendor/preact-htm.js";
import { Dialog } from "./dialog.js";

const KEYS = [
  ["Tab", "from one control to the next"],
  ["← ↑ → ↓", "from galaxy to galaxy, in every grid; over the pixels of a picture"],
  ["Enter", "opens the galaxy"],
  ["+", "puts the galaxy that has the focus into the next slot"],
  ["*", "makes it a favourite, or not any more"],
  ["=", "shows more like it"],
];

function forget() {
  setApiKey("", false);
  location.reload();
}

/** @param {{open: boolean, close: () => void}} props */
export function Help({ open, close }) {
  return html`<${Dialog} open=${open} close=${close} title="How this works" wide>
    <div class="stack">
      <p>None of these galaxies exists. A network that was trained on real ones makes each from a <b>seed</b>, a plain
        number: the same seed is the same galaxy, for ever.</p>
      <ol class="steps">
        <li>In the <b>gallery</b>, put galaxies that you like into the slots A, B, C … with <b>+</b>.</li>
        <li><b>Film</b> walks from slot to slot, <b>Mix</b> takes the shape of one and the details of
          another, <b>Sum</b> adds and subtracts them.</li>
        <li>Every galaxy has a page of its own, with PNG, FITS, its latents and its pixels.</li>
      </ol>
      <p><b>Variety</b> (truncation ψ): 0 is the mean galaxy, 1 everything that the network knows.</p>
      <p>The address of the page holds all that you see: send it, and others see the same.</p>
      <table class="keys"><caption>Keys</caption><tbody>
        ${KEYS.map(([key, does]) => html`<tr key=${key}><th scope="row"><kbd>${key}</kbd></th><td>${does}</td></tr>`)}
      </tbody></table>
      ${apiKey() ? html`<p><button class="button small" onClick=${forget}>Forget the API key</button></p>` : null}
      <p><a href="/docs">The API behind this page</a></p>
    </div>
  <//>`;
}
