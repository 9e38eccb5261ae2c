/** Galaxies that this browser remembers. */

import { Grid } from "../components/grid.js";
import { Icon } from "../components/icons.js";
import { save } from "../components/takehome.js";
import { Tile } from "../components/tile.js";
import * as favourites from "../favourites.js";
import { Link, usePage } from "../page.js";
import { parsePoint } from "../point.js";
import { html, useEffect, useState } from "../vendor/preact-htm.js";

export function Favourites() {
  const { setting } = usePage();
  const [all, setAll] = useState(favourites.all);
  useEffect(() => favourites.onChange(() => setAll(favourites.all())), []);
  return html`<div class="view">
    <div class="view-head"><h1>Favourites</h1><p class="lead">Kept in this browser only. Export them to keep them safe or to
      hand them on.</p></div>
    <${Files} count=${all.length} />
    ${
      all.length === 0
        ? html`<div class="empty"><p>Nothing here yet. Press the heart below a galaxy, or <kbd>*</kbd> while it has the
          focus.</p><${Link} class="button primary" to=${{ view: "gallery" }}>To the gallery<//></div>`
        : html`<${Grid} label="Favourites">${all.map((one) => html`<${Tile} key=${`${one.model} ${one.psi} ${one.point}`}
          point=${parsePoint(one.point)} setting=${{ model: one.model, psi: one.psi }}
            note=${one.model === setting.model ? undefined : one.model} />`)}<//>`
    }
  </div>`;
}

/** @param {{count: number}} props */
function Files({ count }) {
  const { say } = usePage();
  const [error, setError] = useState("");
  const take = async (event) => {
    const [file] = event.target.files;
    if (!file) return;
    try {
      const fresh = favourites.take(await file.text());
      setError("");
      say(fresh === 1 ? "One new favourite" : `${fresh} new favourites`);
    } catch (problem) {
      setError(/** @type {Error} */ (problem).message);
    }
    event.target.value = "";
  };
  return html`<div class="stack"><div class="row">
    <button class="button" disabled=${count === 0}
      onClick=${() => save(new Blob([favourites.exported()], { type: "application/json" }), "galaxies.json")}>
        <${Icon} name="download" /> Export</button>
    <label class="button import">Import<input class="unseen" type="file" accept="application/json,.json" onChange=${take} />
      </label>
  </div><p class="error" role="alert">${error}</p></div>`;
}
