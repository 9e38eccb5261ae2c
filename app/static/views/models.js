/** What models there are, what they learned from, and how good they are. */

import { Link, useLoaded, usePage } from "../page.js";
import { askJson } from "../api.js";
import { ModelFiles, ServiceImage } from "../components/servicefile.js";
import { classLabel, classMeaning } from "../point.js";
import { html } from "../vendor/preact-htm.js";

export function Models() {
  const { models } = usePage();
  return html`<div class="view">
    <div class="view-head"><h1>Models</h1><p class="lead">Each is a network that learned galaxies from a set of images. What
      it has not seen, it cannot draw.</p></div>
    <div class="model-list">${models.map((one) => html`<${Model} key=${`${one.name}@${one.version}`}
      reference=${`${one.name}@${one.version}`} />`)}</div>
  </div>`;
}

/** @param {{reference: string}} props */
function Model({ reference }) {
  const { setting, go } = usePage();
  const {
    value: card,
    error,
    retry,
  } = useLoaded((signal) => askJson(`/v1/models/${encodeURIComponent(reference)}`, signal), [reference]);
  if (error)
    return html`<article class="panel"><h2>${reference}</h2><p class="error">${error}</p>
      ${retry ? html`<button class="button small" onClick=${retry}>Try again</button>` : null}</article>`;
  if (!card) return html`<article class="panel model-waiting"><h2>${reference}</h2></article>`;
  const classes = card.classes.map((/** @type {any} */ one) => classLabel(one.name)).join(", ");
  const roles = Object.values(card.files).map((/** @type {any} */ file) => file.role);
  return html`<article class="panel">
    <div class="job-line"><h2>${card.title}</h2>
      ${reference === setting.model ? html`<span class="soft">in use</span>`
        : html`<button class="button small" onClick=${() => go({ view: "gallery", model: reference })}
          aria-label=${`Use ${reference}`}>Use it</button>`}</div>
    <p>${card.description}</p>
    ${roles.includes("samples") ? html`<${ServiceImage} src=${`/v1/models/${reference}/samples.png`}
      alt=${`Sheet of galaxies made by ${reference}`} />` : null}
    ${roles.includes("samples") && roles.includes("report_json") && classes ? html`<p class="small-print">A row a class, from
      above: ${classes}.</p>` : null}
    <dl class="facts">${facts(card).map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
    <p class="row"><${Link} to=${{ view: "gallery", model: reference }}>Its galaxies<//><${ModelFiles} card=${card} /></p>
  </article>`;
}

/** @param {any} card @returns {[string, string][]} */
function facts(card) {
  const { training } = card;
  const metrics = Object.entries(card.metrics ?? {}).filter(([, found]) => typeof found?.value === "number");
  const classes = card.classes.map((/** @type {any} */ one) => `${classLabel(one.name)} (${counted(one.count)})`).join(", ");
  const meanings = card.classes.map((/** @type {any} */ one) => classMeaning(one.name)).filter(Boolean);
  return [
    ["Version", `${card.name}@${card.version}`],
    ["Network", `${card.architecture} (${card.preset})`],
    ["Pixels", `${card.resolution} × ${card.resolution}${card.pixel_scale_arcsec ? `, ${card.pixel_scale_arcsec}″ each` : ""}`],
    ["Bands", card.bands.map((/** @type {any} */ band) => `${band.name}${band.unit ? ` (${band.unit})` : ""}`).join(", ")],
    ["Classes", [classes || "none", ...meanings].join(". ")],
    ["Trained on", `${counted(training.images)} images: ${training.credits}`],
    ...metrics.map(([name, found]) => /** @type {[string, string]} */ ([measureOf(name), figureOf(found)])),
    ["Licence", card.licence],
  ];
}

/** What a key of the card's metrics measures: `fid5k_held_out` is the FID against images kept from training. @param {string} name */
function measureOf(name) {
  const [, distance, against] = /^(fid|kid)\d*k?_(train|held_out)$/.exec(name) ?? [];
  if (distance) return `${distance.toUpperCase()}, ${against === "train" ? "trained on" : "held out"}`;
  return name[0].toUpperCase() + name.slice(1).replaceAll("_", " ");
}

/** @param {{value: number, n_generated?: number, n_reference?: number}} found */
function figureOf({ value, n_generated: generated, n_reference: real }) {
  const figure = String(Number(value.toPrecision(4)));
  return generated && real ? `${figure}: ${counted(generated)} generated images against ${counted(real)} real ones` : figure;
}

/** @param {number} count */
function counted(count) {
  return count.toLocaleString("en");
}
