/** One galaxy: picture and pixels, files, latents, where it comes from. */

import { Chips, Variety } from "../components/controls.js";
import { Icon } from "../components/icons.js";
import { Latents } from "../components/latents.js";
import { PixelLook, Pixels } from "../components/pixels.js";
import { ModelFiles } from "../components/servicefile.js";
import { TakeHome } from "../components/takehome.js";
import { GalaxyImage, useActs } from "../components/tile.js";
import { Link, useLoaded, usePage } from "../page.js";
import { fileOf, latentOf } from "../pictures.js";
import { MAX_SEED, NEIGHBOUR_STEP, atomOf, classLabel, describe, formatPoint, nameOf, seedPoint } from "../point.js";
import { galaxyRequest } from "../requests.js";
import { html } from "../vendor/preact-htm.js";
import { Neighbours, classOf, neighbours } from "./similar.js";

const LARGE = 512;
const NEIGHBOURS = 6;
/** @type {[string, string][]} */
const FORMATS = [
  ["png", "PNG"],
  ["fits", "FITS"],
];

export function Galaxy() {
  const { state, setting, card } = usePage();
  const point = /** @type {import("../point.js").Point} */ (state.at);
  const text = formatPoint(point);
  const atom = atomOf(point);
  const loaded = useLoaded(
    async (signal) => ({ of: text, file: await fileOf(setting, point, signal) }),
    [setting.model, setting.psi, text],
  );
  // Another galaxy's pixels and latents never stand under this one's name.
  const fits = { ...loaded, value: loaded.value?.of === text ? loaded.value.file : null };
  const drawn = fits.value && fits.value.className;
  const className = classOf(point, fits.error ? undefined : drawn);
  const near = neighbours(point, className, 0, NEIGHBOURS, NEIGHBOUR_STEP, "near", card);
  const request = (/** @type {AbortSignal} */ signal) => galaxyRequest(setting, point, (one) => latentOf(setting, one, signal));
  return html`<div class="view">
    <div class="galaxy-page">
      <${Figure} point=${point} fits=${fits} />
      ${state.look === "pixels" && fits.value ? html`<div class="panel galaxy-look"><${PixelLook} file=${fits.value} />
        </div>` : null}
      <div class="view-head galaxy-head">
          <${Steps} atom=${atom} />
          <h1>${nameOf(point)}</h1>
          <p class="lead">A synthetic ${className ? `${classLabel(className)} galaxy` : "galaxy"}${card
            ? `, made by the model “${card.title}”` : ""}. You will not find it on the sky.</p>
      </div>
      <div class="stack galaxy-side">
        <${ActRow} point=${point} />
        <${Variety} />
        <${TakeHome} formats=${FORMATS} request=${request} name=${fileName(setting.model, point)}
          remake=${[setting.model, setting.psi, text]} />
      </div>
    </div>
    <section class="stack wide-stack" aria-label="More like this">
      <div class="job-line"><h2>More like this</h2><${Link} to=${{ view: "similar", at: point }}>All neighbours<//></div>
      <${Neighbours} near=${near} count=${NEIGHBOURS} className="grid one-row" />
    </section>
    <div class="panels">
      <section class="panel" aria-label="How it is made"><h2>How it is made</h2>
        <${Facts} point=${point} className=${className} /></section>
      <section class="panel" aria-label="Latents"><h2>Latents</h2><${Latents} fits=${fits} point=${point} /></section>
      <${ModelPanel} />
    </div>
  </div>`;
}

/** @param {{point: import("../point.js").Point, fits: any}} props */
function Figure({ point, fits }) {
  const { state, go } = usePage();
  return html`<figure class="galaxy-figure">
    <${Chips} label="Show" name="look" value=${state.look} options=${[
      ["picture", "Picture"],
      ["pixels", "Pixels (FITS)"],
    ]} onChange=${(look) => go({ look })} />
    ${state.look === "picture" ? html`<${GalaxyImage} point=${point} size=${LARGE} />`
      : html`<${PixelsOf} fits=${fits} point=${point} />`}
  </figure>`;
}

/** @param {{fits: any, point: import("../point.js").Point}} props */
function PixelsOf({ fits, point }) {
  if (fits.error)
    return html`<span class="well failed"><span class="failed-text">${fits.error}</span>
      ${fits.retry ? html`<button class="button small" onClick=${fits.retry}>Try again</button>` : null}</span>`;
  return fits.value ? html`<${Pixels} file=${fits.value} label=${describe(point)} />` : html`<span class="well loading"></span>`;
}

/** Earlier and later seed, where the galaxy is a seed's. */
function Steps({ atom }) {
  const { state } = usePage();
  if (atom?.kind !== "seed") return html`<p class="crumb"><${Link} to=${{ view: "gallery" }}>Gallery<//></p>`;
  const start = Math.max(0, atom.seed - (atom.seed % state.count));
  const other = (/** @type {number} */ seed) => ({ at: seedPoint(seed, atom.class) });
  return html`<nav class="crumb row" aria-label="Neighbouring seeds">
    <${Link} to=${{ view: "gallery", seed: start, class: atom.class ?? "" }}>Gallery<//>
    <span class="push"></span>
    ${atom.seed > 0 ? html`<${Link} class="icon-button" stay to=${other(atom.seed - 1)} aria-label="Seed before"
      title="Seed before"><${Icon} name="left" /><//>` : null}
    ${atom.seed < MAX_SEED ? html`<${Link} class="icon-button" stay to=${other(atom.seed + 1)} aria-label="Next seed"
      title="Next seed"><${Icon} name="right" /><//>` : null}
  </nav>`;
}

/** @param {{point: import("../point.js").Point}} props */
function ActRow({ point }) {
  const { setting } = usePage();
  const acts = useActs(point, setting);
  return html`<div class="row">
    <button class="button primary" onClick=${acts.add}><${Icon} name="plus" /> Into the next slot</button>
    <button class="button" onClick=${acts.favour} aria-pressed=${acts.favoured}>
      <${Icon} name="heart" filled=${acts.favoured} /> Favourite</button>
    <button class="button" onClick=${acts.similar}><${Icon} name="similar" /> More like this</button>
  </div>`;
}

/** @param {{point: import("../point.js").Point, className?: string | null}} props */
function Facts({ point, className }) {
  const { card, setting } = usePage();
  const psi = setting.psi ?? card?.truncation;
  const side = card?.pixel_scale_arcsec ? `, ${(card.resolution * card.pixel_scale_arcsec).toFixed(0)}″ across` : "";
  const facts = [
    ["Point", describe(point, className ?? undefined)],
    ["Variety ψ", psi === undefined ? "" : `${psi}${setting.psi === null ? " (the model's own)" : ""}`],
    ["Pixels", card ? `${card.resolution} × ${card.resolution}${side}` : ""],
    ["Bands", card ? card.bands.map((/** @type {any} */ band) => band.name).join(", ") : ""],
    ["Values", card?.display ? "display levels, not fluxes" : "physical"],
  ];
  return html`<dl class="facts">${facts.filter(([, value]) => value).map(([name,
    value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

function ModelPanel() {
  const { card } = usePage();
  if (!card) return null;
  const reference = `${card.name}@${card.version}`;
  return html`<section class="panel" aria-label="Model"><h2>Model</h2>
    <p>${card.description}</p>
    <dl class="facts"><dt>Version</dt><dd>${reference}</dd><dt>Network</dt><dd>${card.architecture}</dd><dt>Licence</dt>
      <dd>${card.licence}</dd><dt>Data</dt><dd>${card.training.credits}</dd></dl>
    <p class="row"><${Link} to=${{ view: "models" }}>About the models<//><${ModelFiles} card=${card} /></p>
  </section>`;
}

/** @param {string} model @param {import("../point.js").Point} point */
function fileName(model, point) {
  return `${model}-${formatPoint(point)}`.replace(/[^A-Za-z0-9._-]+/g, "-").slice(0, 80);
}
