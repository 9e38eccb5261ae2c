/** Name, views, model, and how the page looks. */

import { Link, usePage } from "../page.js";
import { html, useState } from "../vendor/preact-htm.js";
import { Icon } from "./icons.js";

const LINKS = [
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
      ${LINKS.map(([view, title]) => html`<${Link} key=${view} to=${{ view }}
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
  const { models, setting, go } = usePage();
  const known = models.some((one) => `${one.name}@${one.version}` === setting.model);
  const change = (event) => go({ model: event.target.value, class: "", layers: [] });
  return html`<label class="model-choice"><span class="unseen">Model</span>
    <select value=${setting.model} onChange=${change}>
      ${known ? null : html`<option value=${setting.model}>${setting.model || "…"}</option>`}
      ${models.map((one) => html`<option key=${one.name + one.version}
        value=${`${one.name}@${one.version}`}>${one.name}@${one.version}</option>`)}
    </select>
  </label>`;
}

function Theme() {
  const root = document.documentElement;
  const [theme, setTheme] = useState(root.dataset.theme);
  const other = theme === "light" ? "dark" : "light";
  const change = () => {
    localStorage.setItem("galsynth-theme", other);
    root.dataset.theme = other;
    setTheme(other);
  };
  return html`<button class="icon-button" onClick=${change} aria-label=${`Switch to ${other}`} title=${`Switch to ${other}`}>
    <${Icon} name=${theme === "light" ? "moon" : "sun"} />
  </button>`;
}
