/** Style mixing: the slots down the side, other galaxies along the top, and a picture of the layers between them. */

import { Variety } from "../components/controls.js";
import { NeedsSlots } from "../components/empty.js";
import { move } from "../components/grid.js";
import { Icon } from "../components/icons.js";
import { JobStatus, useMade } from "../components/job.js";
import { Layers } from "../components/layers.js";
import { TakeHome } from "../components/takehome.js";
import { Tile, letter } from "../components/tile.js";
import { unzip } from "../formats/zip.js";
import { Link, usePage } from "../page.js";
import { latentOf } from "../pictures.js";
import { anySeed, formatPoint, formatPoints, mixPoint, nameOf, seedPoint } from "../point.js";
import { mixRequest } from "../requests.js";
import { html, useEffect, useMemo } from "../vendor/preact-htm.js";

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
  const request = (/** @type {AbortSignal} */ signal) =>
    mixRequest(setting, rows, columns, layers, (point) => latentOf(setting, point, signal));
  const key = [setting.model, setting.psi, formatPoints(rows), formatPoints(columns), layers].join(" ");
  const preview = async (/** @type {AbortSignal} */ signal) => {
    const { operation, body } = await request(signal);
    return { operation, body: { ...body, headers: false, format: "zip", size: CELL } };
  };
  // Each under the name of its galaxy: one that the grid has already is shown until its new picture is there, any other is not.
  const name = (/** @type {Point} */ row, /** @type {Point} */ column) =>
    `${setting.model} ${formatPoint(mixPoint(row, column, layers))}`;
  const read = async (/** @type {Blob} */ archive) => {
    const files = await unzip(archive);
    const cells = rows.flatMap((row, r) => columns.map((column, c) => ({ of: name(row, column), file: files.get(fileOf(r, c)) })));
    return new Map(cells.flatMap(({ of, file }) => (file ? [[of, file]] : [])));
  };
  const grid = useMade(key, preview, read);
  const cells = useAddresses(grid.before);
  return html`<div class="stack wide-stack">
    <div class="toolbar"><${Layers} card=${card} chosen=${layers}
      onChange=${(chosen) => chosen.length && go({ layers: chosen })} /><${Variety} /></div>
    <${MixTable} busy=${grid.working} status=${html`<${JobStatus} status=${grid.status} cancel=${grid.cancel} what="The grid"
      retry=${grid.make} />`} rows=${rows} columns=${columns} layers=${layers}
        picture=${(row, column) => cells.get(name(row, column)) ?? null} />
    <${TakeHome} formats=${FORMATS} request=${request} name=${`${setting.model.replace("@", "-")}-mix`} remake=${[key]} />
  </div>`;
}

/** In the archive of a grid. @param {number} row @param {number} column */
function fileOf(row, column) {
  const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
  return `cell-${two(row)}-${two(column)}.png`;
}

/** Addresses of files, for as long as these are shown. @param {Map<string, Blob> | null} files @returns {Map<string, string>} */
function useAddresses(files) {
  const found = useMemo(() => new Map([...(files ?? [])].map(([name, file]) => [name, URL.createObjectURL(file)])), [files]);
  useEffect(() => () => found.forEach((address) => URL.revokeObjectURL(address)), [found]);
  return found;
}

/** @typedef {(row: Point, column: Point) => string | null} Picture address of a cell's picture, null where it is not there yet */

/** @param {{rows: Point[], columns: Point[], layers: number[], picture: Picture, busy: boolean, status: any}} props */
function MixTable({ rows, columns, layers, picture, busy, status }) {
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
        columns=${columns} layers=${layers} picture=${picture} />`)}</tbody>
    </table>
  </div>`;
}

/** @param {{row: Point, index: number, columns: Point[], layers: number[], picture: Picture}} props */
function MixRow({ row, index, columns, layers, picture }) {
  const source = (/** @type {Point} */ column) => {
    const url = picture(row, column);
    return { key: url ?? "", load: () => Promise.resolve({ url }) };
  };
  return html`<tr>
    <th scope="row"><${Tile} point=${row} name=${`${letter(index)} · ${short(row)}`} /></th>
    ${columns.map((column, c) => html`<td key=${c}>
      <${Tile} point=${mixPoint(row, column, layers)} name=${`${letter(index)} × ${c + 1}`} source=${source(column)} />
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
