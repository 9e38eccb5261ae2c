/** Name, views, model, and how the page looks. */

import { Link, usePage } from "../page.js";
import { keep } from "../storage.js";
import { html, useState } from "../vendor/preact-htm.js";
import { Icon } from "./icons.js";

/** Views that have a link of their own. */
export const PLACES = [
  ["gallery", "Gallery"],
  ["film", "Film"],
  ["mix", "Mix"],
  ["sum", "Sum"],
  ["favourites", "Favourites"],
  ["models", "Models"],
];
/** Views that belong to another one's link. @type {Record<string, string>} */
const UNDER = { galaxy: "gallery", similar: "gallery" };

/** @param {{onHelp: () => void}} props */
export function Header({ onHelp }) {
  const { state } = usePage();
  const here = UNDER[state.view] ?? state.view;
  return html`<header class="header">
    <${Link} class="brand" to=${{ view: "gallery", class: "", seed: 0, count: 24 }}>
      <img src=${new URL("../icon.svg", import.meta.url).pathname} alt="" width="32" height="32" /><span>galsynth</span><//>
    <nav class="views" aria-label="Views">
      ${PLACES.map(([view, title]) => html`<${Link} key=${view} to=${{ view }}
        aria-current=${view === here ? "page" : undefined}>${title}<//>`)}
    </nav>
    <div class="header-tools">
      <${ModelChoice} />
      <${Theme} />
      <button class="icon-button" onClick=${onHelp} aria-label="Help" title="Help"><${Icon} name="help" /></button>
    </div>
  </header>`;
}

function ModelChoice() {
  const { models, setting, state, go } = usePage();
  const known = models.some((one) => `${one.name}@${one.version}` === setting.model);
  const change = (event) => go({ model: event.target.value, class: "", layers: [] });
  return html`<label class="model-choice"><span class="unseen">Model</span>
    <select value=${setting.model} onChange=${change}>
      ${known ? null : html`<option value=${setting.model}>${state.model || "…"}</option>`}
      ${models.map((one) => html`<option key=${one.name + one.version}
        value=${`${one.name}@${one.version}`}>${one.name}@${one.version}</option>`)}
    </select>
  </label>`;
}

function Theme() {
  const root = document.documentElement;
  const [theme, setTheme] = useState(root.dataset.theme);
  const change = (event) => {
    keep("galsynth-theme", event.target.value);
    root.dataset.theme = event.target.value;
    setTheme(event.target.value);
  };
  return html`<label class="theme-choice"><span class="unseen">Theme</span>
    <select value=${theme} onChange=${change} title="Auto: as the system has it">
      <option value="dark">Dark</option><option value="light">Light</option><option value="auto">Auto</option>
    </select>
  </label>`;
}
