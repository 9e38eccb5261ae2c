/** Addresses that lead nowhere: what is wrong with them, and ways on. */

import { Link, usePage } from "../page.js";
import { classLabel } from "../point.js";
import { html } from "../vendor/preact-htm.js";
import { PLACES } from "./header.js";

/** @param {{title: string, children: any}} props */
function Lost({ title, children }) {
  return html`<div class="view"><div class="empty" role="alert"><h1>${title}</h1>${children}</div></div>`;
}

/** The address names a view that the page lacks. */
export function NoSuchView() {
  const { state } = usePage();
  return html`<${Lost} title=${`There is no view “${state.view}”`}><p>This page has these:</p>
    <p class="row">${PLACES.map(([view, title]) => html`<${Link} key=${view} class="button" to=${{ view }}>${title}<//>`)}</p><//>`;
}

/** The address names no galaxy, where the view shows one. */
export function NoSuchGalaxy() {
  const { state } = usePage();
  const { at } = state;
  const why = at && "why" in at ? at.why : "Nothing is said of which galaxy is meant.";
  return html`<${Lost} title="This address names no galaxy"><p>${why}</p>
    <p><${Link} class="button primary" to=${{ view: "gallery" }}>To the gallery<//></p><//>`;
}

/** The address names a model that the service lacks, or there is none at all. */
export function NoSuchModel() {
  const { state, models } = usePage();
  if (models.length === 0)
    return html`<${Lost} title="This service has no model yet"><p>Whoever runs it has to publish one.</p><//>`;
  return html`<${Lost} title=${`There is no model “${state.model}” here`}><p>This service has these:</p>
    <p class="row">${models.map(({ name, version }) => html`<${Link} key=${`${name}@${version}`} class="button"
      to=${{ model: `${name}@${version}`, class: "", layers: [] }}>${name}@${version}<//>`)}</p><//>`;
}

/** The address names a class that the model lacks. */
export function NoSuchClass() {
  const { state, card, setting } = usePage();
  const { classes } = card;
  return html`<${Lost} title=${`There is no class “${state.class}” in ${setting.model}`}>
    <p>${classes.length ? "This model has these:" : "This model was trained without classes."}</p>
    <p class="row"><${Link} class="button" to=${{ class: "" }}>${classes.length ? "All" : "All its galaxies"}<//>
      ${classes.map((/** @type {any} */ one) => html`<${Link} key=${one.name} class="button"
        to=${{ class: one.name }}>${classLabel(one.name)}<//>`)}</p><//>`;
}
