/** What the FITS file of one galaxy holds: its bands and its latents. */

import { column, images, readFits } from "./formats/fits.js";

/** @typedef {import("./formats/fits.js").Hdu} Hdu */
/** @typedef {{z?: number[], w?: number[][], className?: string}} Latents w: one row a layer; className: the class that it is of */
/** @typedef {Latents & {hdus: Hdu[], bands: import("./formats/fits.js").FitsImage[]}} GalaxyFile */

/** @param {Blob} file @returns {Promise<GalaxyFile>} @throws {Error} in plain words, where it is damaged */
export async function readGalaxy(file) {
  const bytes = await file.arrayBuffer();
  try {
    const hdus = readFits(bytes);
    const bands = images(hdus);
    if (bands.length === 0) throw new Error("it holds no image");
    return { hdus, bands, ...latentsIn(hdus) };
  } catch (error) {
    throw new Error(`The FITS file of this galaxy is damaged: ${/** @type {Error} */ (error).message}.`);
  }
}

/** The latents as a request names them. @param {Latents} latents @returns {import("./requests.js").Latent} */
export function latentFrom({ z, w }) {
  if (w) return { w: sameForAll(w) ? w[0] : w };
  if (z) return { z };
  throw new Error("The service gave no latents with this galaxy.");
}

/** Whether every layer has the same w. @param {number[][]} w */
export function sameForAll(w) {
  return w.every((row) => row.every((value, i) => value === w[0][i]));
}

/** @param {Hdu[]} hdus @returns {Latents} */
function latentsIn(hdus) {
  const table = hdus.find((hdu) => hdu.value("EXTNAME") === "LATENTS");
  if (!table) return {};
  const [z, w] = ["Z", "W"].map((name) => /** @type {number[] | undefined} */ (column(table, name)?.[0]));
  const field = Array.from({ length: table.value("TFIELDS") }, (_, i) => i + 1).find((i) => table.value(`TTYPE${i}`) === "W");
  const dims = /\((\d+),(\d+)\)/.exec(field ? (table.value(`TDIM${field}`) ?? "") : "");
  const width = dims ? Number(dims[1]) : (w?.length ?? 0);
  const className = /** @type {string | undefined} */ (column(table, "CLASS")?.[0]) || undefined;
  return { z, className, w: w && Array.from({ length: w.length / width }, (_, i) => w.slice(i * width, (i + 1) * width)) };
}
