/** Galaxies as pictures: each is asked for once, a few at a time, and kept. */

import { ask } from "./api.js";
import { column, readFits } from "./formats/fits.js";
import { provenance } from "./formats/png.js";
import { quick } from "./jobs.js";
import { atomOf, formatPoint } from "./point.js";
import { galaxyRequest, plainLatent } from "./requests.js";

/** @typedef {import("./point.js").Point} Point */
/** @typedef {import("./requests.js").Setting} Setting */
/** @typedef {{url: string, blob: Blob, className: string | undefined}} Picture className: the class that the seed drew */

const AT_ONCE = 6;
const KEPT = 400;

/** @type {Map<string, Promise<Picture>>} in order of use */
const pictures = new Map();
/** @type {Map<string, Promise<import("./requests.js").Latent>>} */
const latents = new Map();
/** @type {(() => void)[]} */
const waiting = [];
let running = 0;

/** @param {Setting} setting @param {Point} point @param {number} size in pixels @returns {Promise<Picture>} */
export function picture(setting, point, size) {
  const key = [setting.model, setting.psi, size, formatPoint(point)].join(" ");
  const known = pictures.get(key);
  if (known) {
    pictures.delete(key);
    pictures.set(key, known);
    return known;
  }
  const made = inTurn(() => fetchPicture(setting, point, size));
  pictures.set(key, made);
  made.catch(() => pictures.delete(key));
  forgetOldest();
  return made;
}

/** The FITS file of a galaxy. @param {Setting} setting @param {Point} point @returns {Promise<Blob>} */
export async function fitsOf(setting, point) {
  return fetchGalaxy(setting, point, "fits", null);
}

/**
 * The latent of a point: as it is named where that is possible, else its w (or z) from its FITS file.
 * @param {Setting} setting
 * @param {Point} point
 * @returns {Promise<import("./requests.js").Latent>}
 */
export function latentOf(setting, point) {
  const plain = plainLatent(point);
  if (plain) return Promise.resolve(plain);
  const key = `${setting.model} ${formatPoint(point)}`;
  const found = latents.get(key) ?? fitsOf(setting, point).then(async (fits) => latentIn(await fits.arrayBuffer()));
  latents.set(key, found);
  found.catch(() => latents.delete(key));
  return found;
}

/**
 * What latents a FITS file of one galaxy holds.
 * @param {ArrayBuffer} bytes
 * @returns {{z?: number[], w?: number[][], className?: string}}
 */
export function latentsOfFits(bytes) {
  const table = readFits(bytes).find((hdu) => hdu.value("EXTNAME") === "LATENTS");
  if (!table) return {};
  const [z, w] = ["Z", "W"].map((name) => /** @type {number[] | undefined} */ (column(table, name)?.[0]));
  const field = Array.from({ length: table.value("TFIELDS") }, (_, i) => i + 1).find((i) => table.value(`TTYPE${i}`) === "W");
  const dims = /\((\d+),(\d+)\)/.exec(field ? (table.value(`TDIM${field}`) ?? "") : "");
  const width = dims ? Number(dims[1]) : (w?.length ?? 0);
  const className = /** @type {string | undefined} */ (column(table, "CLASS")?.[0]) || undefined;
  return { z, className, w: w && Array.from({ length: w.length / width }, (_, i) => w.slice(i * width, (i + 1) * width)) };
}

/** @param {ArrayBuffer} bytes @returns {import("./requests.js").Latent} */
function latentIn(bytes) {
  const { z, w } = latentsOfFits(bytes);
  if (w) return { w: w.every((row) => row.every((value, i) => value === w[0][i])) ? w[0] : w };
  if (z) return { z };
  throw new Error("the service gave no latents with this galaxy");
}

/** @param {Setting} setting @param {Point} point @param {number} size @returns {Promise<Picture>} */
async function fetchPicture(setting, point, size) {
  const blob = await fetchGalaxy(setting, point, "png", size);
  const made = provenance(await blob.arrayBuffer())?.request;
  const className = made?.seeds ? made.class : made?.latents?.[0]?.class;
  return { url: URL.createObjectURL(blob), blob, className };
}

/**
 * A seed has an address that browsers keep for ever; other points are made on request.
 * @param {Setting} setting
 * @param {Point} point
 * @param {string} format
 * @param {number | null} size
 */
async function fetchGalaxy(setting, point, format, size) {
  const atom = atomOf(point);
  if (atom?.kind === "seed") return (await ask(galaxyAddress(setting, atom, format, size))).blob();
  const { operation, body } = await galaxyRequest(setting, point, (one) => latentOf(setting, one));
  return quick(operation, { ...body, format, ...(size ? { size } : {}) }, new AbortController().signal);
}

/** @param {Setting} setting @param {import("./point.js").SeedAtom} atom @param {string} format @param {number | null} size */
export function galaxyAddress({ model, psi }, atom, format, size) {
  const query = new URLSearchParams();
  if (atom.class) query.set("class", atom.class);
  if (psi !== null) query.set("truncation", String(psi));
  if (size) query.set("size", String(size));
  const tail = query.toString();
  return `/v1/galaxies/${encodeURIComponent(model).replace("%40", "@")}/${atom.seed}.${format}${tail ? `?${tail}` : ""}`;
}

/**
 * At most `AT_ONCE` tasks run, in the order in which they came.
 * @template T
 * @param {() => Promise<T>} task
 * @returns {Promise<T>}
 */
async function inTurn(task) {
  if (running >= AT_ONCE) await new Promise((resolve) => waiting.push(() => resolve(undefined)));
  running += 1;
  try {
    return await task();
  } finally {
    running -= 1;
    waiting.shift()?.();
  }
}

function forgetOldest() {
  for (const [key, old] of pictures) {
    if (pictures.size <= KEPT) return;
    pictures.delete(key);
    old.then(({ url }) => URL.revokeObjectURL(url)).catch(() => {});
  }
}
