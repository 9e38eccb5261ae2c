/** The pixels of a FITS file: bands, stretch, colour map, read-out. */

import { MAPS, STRETCHES, channels, levels, paint } from "../colour.js";
import { usePage } from "../page.js";
import { html, useEffect, useMemo, useRef, useState } from "../vendor/preact-htm.js";
import { Chips, Slider } from "./controls.js";

/** @typedef {import("../formats/fits.js").FitsImage} FitsImage */

/** The picture, with a read-out below. @param {{file: import("../galaxyfile.js").GalaxyFile, label: string}} props */
export function Pixels({ file, label }) {
  const shown = useBands(file.bands);
  return html`<${Canvas} bands=${file.bands} shown=${shown} label=${label} />`;
}

/** How the picture is shown, and the file's header. @param {{file: import("../galaxyfile.js").GalaxyFile}} props */
export function PixelLook({ file }) {
  const shown = useBands(file.bands);
  return html`<${Look} bands=${file.bands} shown=${shown} />
    <details><summary>FITS header</summary><pre class="fits-header" tabindex="0"
      aria-label="FITS header">${headerText(file.hdus)}</pre></details>`;
}

/** Those that are shown. @param {FitsImage[]} all */
function useBands(all) {
  const { state, card } = usePage();
  const display = card ? card.display : true;
  const colour = useMemo(() => channels(all, display), [all, display]);
  const chosen = all.filter((band) => band.name === state.band);
  return chosen.length ? chosen : colour;
}

/** @param {{bands: FitsImage[], shown: FitsImage[], label: string}} props */
function Canvas({ bands, shown, label }) {
  const { state, card, go } = usePage();
  const canvas = useRef(/** @type {any} */ (null));
  const [pointed, setPointed] = useState(/** @type {[number, number] | null} */ (null));
  const { width, height } = bands[0];
  const pinned = state.pixel && /** @type {[number, number]} */ (state.pixel.map((count) => count - 1));
  const at = pinned ?? pointed;
  const there = at && at[0] >= 0 && at[0] < width && at[1] >= 0 && at[1] < height;
  const pin = (/** @type {[number, number] | null} */ pixel) => {
    go({ pixel: pixel && [pixel[0] + 1, pixel[1] + 1] }, { replace: true });
    setPointed(pixel ?? at);
  };
  const { stretch, soft, map, low, high } = state;
  useEffect(() => {
    canvas.current.getContext("2d").putImageData(paint(shown, { stretch, soft, map, low, high }), 0, 0);
  }, [bands, shown.map((band) => band.name).join(), stretch, soft, map, low, high]);
  const under = (event) => {
    const box = canvas.current.getBoundingClientRect();
    return /** @type {[number, number]} */ ([
      clamp(((event.clientX - box.x) / box.width) * width, width),
      clamp((1 - (event.clientY - box.y) / box.height) * height, height),
    ]);
  };
  const click = (event) => {
    const pixel = under(event);
    pin(pinned?.join() === pixel.join() ? null : pixel);
  };
  const keys = (event) => {
    if (event.key === "Escape") return pinned && pin(null);
    if (event.key === "Enter") return at && pin(pinned ? null : at);
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!move) return undefined;
    event.preventDefault();
    const [x, y] = at ?? [width >> 1, height >> 1];
    const far = event.shiftKey ? 8 : 1;
    return (pinned ? pin : setPointed)([clamp(x + far * move[0], width), clamp(y + far * move[1], height)]);
  };
  return html`<div>
    <div class="pixel-well">
      <canvas ref=${canvas} width=${width} height=${height} tabindex="0" role="img"
        aria-label=${`Pixels of ${label}. Arrow keys move the read-out, Enter pins it.`}
        onPointerMove=${(event) => setPointed(under(event))} onClick=${click} onKeyDown=${keys}></canvas>
      ${there ? html`<span class=${pinned ? "cross pinned" : "cross"} style=${{ left: `${((at[0] + 0.5) / width) * 100}%`,
        top: `${(1 - (at[1] + 0.5) / height) * 100}%` }}></span>` : null}
    </div>
    <p class="readout"><span role="status">${at ? reading(bands, at, card?.pixel_scale_arcsec)
      : "Point at a pixel, or use the arrow keys; a click or Enter pins it"}</span>
      ${pinned ? html` <button class="button small" onClick=${() => pin(null)}>Unpin</button>` : null}</p>
  </div>`;
}

/** @param {{bands: FitsImage[], shown: FitsImage[]}} props */
function Look({ bands, shown }) {
  const { state, go } = usePage();
  const set = (/** @type {object} */ patch) => go(patch, { replace: true });
  const options = /** @type {[string, string][]} */ ([
    ...(bands.length > 1 ? [["all", "Colour"]] : []),
    ...bands.map((band) => [band.name, band.name]),
  ]);
  const [black, white] = levels(shown, state.low, state.high);
  const curved = state.stretch === "asinh" || state.stretch === "log";
  return html`<div class="look">
    <${Chips} label="Band" hideLabel=${false} name="band" value=${shown.length === 3 ? "all" : shown[0].name}
      options=${options} onChange=${(band) => set({ band })} />
    <${Chips} label="Stretch" hideLabel=${false} name="stretch" value=${state.stretch}
      options=${Object.keys(STRETCHES).map((name) => [name, name])} onChange=${(stretch) => set({ stretch })} />
    <div class="row">
      <label class="field"><span>Colour map</span>
        <select value=${state.map} disabled=${shown.length === 3} onChange=${(event) => set({ map: event.target.value })}>
        ${Object.entries(MAPS).map(([key, { title }]) => html`<option key=${key} value=${key}>${title}</option>`)}</select>
          </label>
      ${curved ? html`<${Slider} label="Softening" value=${Math.log10(state.soft)} min="-3" max="0" step="0.1"
        shown=${(value) => (10 ** value).toPrecision(2)} onChange=${(value) => set({ soft: 10 ** value })} />` : null}
      <${Slider} label="Black at" value=${state.low} min="0" max="100" step="0.5" shown=${(value) => `${value} %`}
        onChange=${(low) => set({ low })} />
      <${Slider} label="White at" value=${state.high} min="0" max="100" step="0.5" shown=${(value) => `${value} %`}
        onChange=${(high) => set({ high })} />
    </div>
    <p class="small-print">Black is ${number(black)}, white ${number(white)}${shown[0].unit ? ` ${shown[0].unit}` : ""}.</p>
  </div>`;
}

/** @param {FitsImage[]} bands @param {[number, number]} at @param {number | null} scale arcsec a pixel */
function reading(bands, [x, y], scale) {
  const { width, height } = bands[0];
  if (x < 0 || x >= width || y < 0 || y >= height)
    return `Pixel ${x + 1}, ${y + 1} lies outside this image of ${width} × ${height}`;
  const values = bands.map((band) => `${band.name} ${number(band.pixels[y * width + x])}`).join(" · ");
  const offset = scale ? ` (${inArcsec(x - (width - 1) / 2, scale)}, ${inArcsec(y - (height - 1) / 2, scale)})` : "";
  return `x ${x + 1}, y ${y + 1}${offset} · ${values}`;
}

/** @param {number} pixels @param {number} scale */
function inArcsec(pixels, scale) {
  return `${pixels < 0 ? "−" : "+"}${Math.abs(pixels * scale).toFixed(1)}″`;
}

/** @param {number} value */
function number(value) {
  return Number.isFinite(value) ? String(Number(value.toPrecision(4))).replace("-", "−") : "no value";
}

/** @param {number} value @param {number} length */
function clamp(value, length) {
  return Math.min(length - 1, Math.max(0, Math.floor(value)));
}

/** @param {import("../formats/fits.js").Hdu[]} hdus */
function headerText(hdus) {
  const line = (/** @type {import("../formats/fits.js").Card} */ { keyword, value, comment }) =>
    value === null
      ? `${keyword.padEnd(8)} ${comment}`
      : `${keyword.padEnd(8)}= ${typeof value === "boolean" ? (value ? "T" : "F") : value}${comment ? `  / ${comment}` : ""}`;
  return hdus.map((hdu) => hdu.cards.map(line).join("\n")).join("\n\n");
}
