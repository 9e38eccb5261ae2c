/** Style mixing: the slots down the side, other galaxies along the top, and a picture of the layers between them. */

import { Variety } from "../components/controls.js";
import { NeedsSlots } from "../components/empty.js";
import { move } from "../components/grid.js";
import { Icon } from "../components/icons.js";
import { JobStatus, useJob } from "../components/job.js";
import { Layers } from "../components/layers.js";
import { TakeHome } from "../components/takehome.js";
import { Tile, letter } from "../components/tile.js";
import { unzip } from "../formats/zip.js";
import { Link, useSettled, usePage } from "../page.js";
import { latentOf } from "../pictures.js";
import { anySeed, formatPoint, formatPoints, mixPoint, nameOf, seedPoint } from "../point.js";
import { mixRequest } from "../requests.js";
import { html, useEffect, useState } from "../vendor/preact-htm.js";

/** @typedef {import("../point.js").Point} Point */

/** @type {[string, string][]} */
const FORMATS = [
  ["png", "PNG"],
  ["zip", "ZIP of PNG"],
  ["fits", "FITS cube"],
];
const FIRST_COLUMNS = [8, 22, 31, 57, 77, 100].map((seed) => seedPoint(seed));
const MAX_COLUMNS = 8;
const CELL = 128;

export function Mix() {
  const { state, card, models, setting } = usePage();
  const able = models.find((one) => one.operations.includes("mix"));
  return html`<div class="view">
    <div class="view-head"><h1>Mix</h1><p class="lead">Each cell is the galaxy of its row with some layers taken from its
      column: coarse layers set the shape, fine ones colour and grain.</p></div>
    ${
      card && !card.num_ws
        ? html`<div class="empty"><p>${setting.model} has no style layers, so there is nothing to mix. Films and sums work
          with it.</p>
          ${able ? html`<${Link} class="button primary" to=${{ model: `${able.name}@${able.version}` }}>Change
            to ${able.name}<//>` : null}</div>`
        : state.slots.length < 1
          ? html`<${NeedsSlots} needed=${3}>The rows are the galaxies in the slots, so a mix needs one or more.<//>`
          : card && html`<${MixOfSlots} />`
    }
  </div>`;
}

function MixOfSlots() {
  const { state, setting, card, go } = usePage();
  const rows = state.slots;
  const columns = state.across.length ? state.across : FIRST_COLUMNS;
  const layers = state.layers.length
    ? state.layers.filter((layer) => layer < card.num_ws)
    : [...card.layers.middle, ...card.layers.fine];
  const request = () => mixRequest(setting, rows, columns, layers, (point) => latentOf(setting, point));
  const key = useSettled([setting.model, setting.psi, formatPoints(rows), formatPoints(columns), layers].join(" "), 250);
  const { status, start, cancel } = useJob();
  const [cells, setCells] = useState(/** @type {Map<string, string>} */ (new Map()));
  const make = async () => {
    const archive = await start(
      request().then(({ operation, body }) => ({ operation, body: { ...body, headers: false, format: "zip", size: CELL } })),
    );
    // Without an archive no cells: those of the grid before must not stay under the new names.
    const files = archive ? [...(await unzip(archive))] : [];
    const pictures = files.filter(([name]) => name.startsWith("cell-"));
    setCells(new Map(pictures.map(([name, blob]) => [name, URL.createObjectURL(blob)])));
  };
  useEffect(() => void make(), [key]);
  useEffect(() => () => cells.forEach((url) => URL.revokeObjectURL(url)), [cells]);
  return html`<div class="stack wide-stack">
    <div class="toolbar"><${Layers} card=${card} chosen=${layers}
      onChange=${(chosen) => chosen.length && go({ layers: chosen })} /><${Variety} /></div>
    <${MixTable} busy=${status.running} status=${html`<${JobStatus} status=${status} cancel=${cancel} what="The grid"
      retry=${make} />`} rows=${rows} columns=${columns} layers=${layers} cells=${cells} />
    <${TakeHome} formats=${FORMATS} request=${request} name=${`${setting.model.replace("@", "-")}-mix`} remake=${[key]} />
  </div>`;
}

/**
 * @param {{rows: Point[], columns: Point[], layers: number[], cells: Map<string, string>, busy: boolean, status: any}} props
 */
function MixTable({ rows, columns, layers, cells, busy, status }) {
  return html`<div class="mix-scroll" tabindex="0" role="region" aria-label="Grid of mixes">
    <table class=${busy ? "mix-table busy" : "mix-table"} onKeyDown=${move}
      style=${{ "--columns": columns.length }}>
      <thead><tr>
        <td class="corner"><${Corner} columns=${columns} rows=${rows} />${status}</td>
        ${columns.map((point, c) => html`<th scope="col" key=${`${c} ${formatPoint(point)}`}>
          <${Tile} point=${point} name=${`${c + 1} · ${short(point)}`} /><${ColumnActs} columns=${columns} index=${c} />
        </th>`)}
      </tr></thead>
      <tbody>${rows.map((row, r) => html`<${MixRow} key=${`${r} ${formatPoint(row)}`} row=${row} index=${r}
        columns=${columns} layers=${layers} cells=${cells} />`)}</tbody>
    </table>
  </div>`;
}

/** @param {{row: Point, index: number, columns: Point[], layers: number[], cells: Map<string, string>}} props */
function MixRow({ row, index, columns, layers, cells }) {
  const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
  const cell = (/** @type {number} */ c) => {
    const url = cells.get(`cell-${two(index)}-${two(c)}.png`) ?? null;
    return { key: url ?? "", load: () => Promise.resolve({ url }) };
  };
  return html`<tr>
    <th scope="row"><${Tile} point=${row} name=${`${letter(index)} · ${short(row)}`} /></th>
    ${columns.map((column, c) => html`<td key=${c}>
      <${Tile} point=${mixPoint(row, column, layers)} name=${`${letter(index)} × ${c + 1}`} source=${cell(c)} />
    </td>`)}
  </tr>`;
}

/** @param {Point} point */
function short(point) {
  return nameOf(point).replace("Galaxy ", "");
}

/** @param {{columns: Point[], rows: Point[]}} props */
function Corner({ columns, rows }) {
  const { go } = usePage();
  const full = columns.length >= MAX_COLUMNS;
  return html`<div class="corner-acts">
    <button class="button small" aria-disabled=${full}
      onClick=${() => full || go({ across: [...columns, anyPoint()] })}><${Icon} name="plus" /> Column</button>
    <button class="button small" onClick=${() => go({ across: columns.map(anyPoint) })}><${Icon} name="dice" /> Others</button>
    <button class="button small" onClick=${() => go({ across: rows, slots: columns })}><${Icon} name="swap" /> Swap</button>
  </div>`;
}

/** @param {{columns: Point[], index: number}} props */
function ColumnActs({ columns, index }) {
  const { go } = usePage();
  return html`<div class="column-acts">
    <button class="icon-button" onClick=${() => go({ across: columns.map((one, i) => (i === index ? anyPoint() : one)) })}
      aria-label=${`Another galaxy for column ${index + 1}`} title="Another galaxy"><${Icon} name="dice" /></button>
    <button class="icon-button" disabled=${columns.length === 1}
      onClick=${() => go({ across: columns.filter((_, i) => i !== index) })} aria-label=${`Remove column ${index + 1}`}
        title="Remove"><${Icon} name="close" /></button>
  </div>`;
}

function anyPoint() {
  return seedPoint(anySeed());
}
