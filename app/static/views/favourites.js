/** Galaxies that this browser remembers. */

import { Grid, useTurning } from "../components/grid.js";
import { Icon } from "../components/icons.js";
import { save } from "../components/takehome.js";
import { Tile } from "../components/tile.js";
import * as favourites from "../favourites.js";
import { Link, usePage } from "../page.js";
import { parsePoint } from "../point.js";
import { html, useEffect, useState } from "../vendor/preact-htm.js";

const SHOWN = 96;

export function Favourites() {
  const { state } = usePage();
  const [all, setAll] = useState(favourites.all);
  useEffect(() => favourites.onChange(() => setAll(favourites.all())), []);
  return html`<div class="view">
    <div class="view-head"><h1>Favourites</h1><p class="lead">${favourites.lasting()
      ? "Kept in this browser only. Export them to keep them safe or to hand them on."
      : "This browser keeps nothing for the page, so they go when you close it. Export them to keep them."}</p></div>
    <${Files} count=${all.length} />
    ${
      all.length === 0
        ? html`<div class="empty"><p>Nothing here yet. Press the heart below a galaxy, or <kbd>*</kbd> while it has the
          focus.</p><${Link} class="button primary" to=${{ view: "gallery" }}>To the gallery<//></div>`
        : html`<${Sheet} all=${all} page=${Math.min(state.page, Math.ceil(all.length / SHOWN))} />`
    }
  </div>`;
}

/** So many as one can look at. @param {{all: favourites.Favourite[], page: number}} props */
function Sheet({ all, page }) {
  const { setting, card } = usePage();
  const turned = useTurning(page);
  const first = (page - 1) * SHOWN;
  const shown = all.slice(first, first + SHOWN);
  const own = setting.psi ?? card?.truncation;
  const differs = (/** @type {favourites.Favourite} */ { model, psi }) =>
    model !== setting.model ? model : own !== undefined && psi !== null && psi !== own ? `ψ ${psi}` : undefined;
  return html`<${Grid} label="Favourites">${shown.map((one) => html`<${Tile} key=${`${one.model} ${one.psi} ${one.point}`}
      point=${parsePoint(one.point)} setting=${{ model: one.model, psi: one.psi }} note=${differs(one)} />`)}<//>
    ${
      all.length > SHOWN
        ? html`<nav class="pager" aria-label="Pages" onClick=${turned}>
          <${Link} class="button" to=${{ page: Math.max(1, page - 1) }} aria-disabled=${page === 1}><${Icon} name="left" /> Newer<//>
          <span role="status">${first + 1} to ${first + shown.length} of ${all.length}</span>
          <${Link} class="button" to=${{ page: Math.min(page + 1, Math.ceil(all.length / SHOWN)) }}
            aria-disabled=${first + SHOWN >= all.length}>Older <${Icon} name="right" /><//>
        </nav>`
        : null
    }`;
}

/** @param {{count: number}} props */
function Files({ count }) {
  const { say } = usePage();
  const [error, setError] = useState("");
  const take = async (event) => {
    const [file] = event.target.files;
    if (!file) return;
    try {
      const { fresh, unread } = favourites.take(await file.text());
      setError(unread ? `${unread === 1 ? "One entry" : `${unread} entries`} of this file name no galaxy and were left out.` : "");
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
