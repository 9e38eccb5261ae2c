/** Galaxies as pictures: each is asked for once, a few at a time, as long as somebody looks, and kept. */

import { ask, bodyOf } from "./api.js";
import { provenance } from "./formats/png.js";
import { latentFrom, readGalaxy } from "./galaxyfile.js";
import { quick } from "./jobs.js";
import { atomOf, formatPoint } from "./point.js";
import { galaxyRequest, plainLatent } from "./requests.js";
import { Shared } from "./shared.js";
import { inTurn } from "./turns.js";

/** @typedef {import("./point.js").Point} Point */
/** @typedef {import("./requests.js").Request} Request */
/** @typedef {import("./requests.js").Setting} Setting */
/** @typedef {{url: string, blob: Blob, className: string | undefined}} Picture className: the class that the seed drew */

/** @type {Shared<Picture>} */
const pictures = new Shared(400, ({ url }) => URL.revokeObjectURL(url));
/** @type {Shared<import("./requests.js").Latent>} */
const latents = new Shared(200);

/**
 * @param {Setting} setting @param {Point} point
 * @param {number} size in pixels
 * @param {AbortSignal} signal aborting it says that nobody looks any more
 * @returns {Promise<Picture>}
 */
export function picture(setting, point, size, signal) {
  const key = [setting.model, setting.psi, size, formatPoint(point)].join(" ");
  return drawn(key, (until) => fetchGalaxy(setting, point, "png", size, until), signal);
}

/**
 * The picture that a request makes, where no point names it.
 * @param {(signal: AbortSignal) => Promise<Request>} request @param {string} key of the request
 * @param {number} size @param {AbortSignal} signal
 * @returns {Promise<Picture>}
 */
export function pictureOf(request, key, size, signal) {
  return drawn(`${key} ${size}`, async (until) => made(await request(until), "png", size, until), signal);
}

/**
 * The FITS file of a galaxy.
 * @param {Setting} setting @param {Point} point @param {AbortSignal} signal @returns {Promise<import("./galaxyfile.js").GalaxyFile>}
 */
export async function fileOf(setting, point, signal) {
  return readGalaxy(await fetchGalaxy(setting, point, "fits", null, signal));
}

/**
 * The latent of a point: as it is named where that is possible, else its w (or z) from its FITS file.
 * @param {Setting} setting
 * @param {Point} point
 * @param {AbortSignal} signal
 * @returns {Promise<import("./requests.js").Latent>}
 */
export async function latentOf(setting, point, signal) {
  const read = async (/** @type {AbortSignal} */ until) => latentFrom(await fileOf(setting, point, until));
  return plainLatent(point) ?? latents.get(`${setting.model} ${formatPoint(point)}`, read, signal);
}

/** @param {string} key @param {(signal: AbortSignal) => Promise<Blob>} fetched @param {AbortSignal} signal @returns {Promise<Picture>} */
function drawn(key, fetched, signal) {
  const make = async (/** @type {AbortSignal} */ until) => {
    const blob = await inTurn(() => fetched(until), until);
    const { seeds, class: named, latents: given } = provenance(await blob.arrayBuffer())?.request ?? {};
    return { url: URL.createObjectURL(blob), blob, className: seeds ? named : given?.[0]?.class };
  };
  return pictures.get(key, make, signal);
}

/**
 * A seed has an address that browsers keep for ever; other points are made on request.
 * @param {Setting} setting
 * @param {Point} point
 * @param {string} format
 * @param {number | null} size
 * @param {AbortSignal} signal
 */
async function fetchGalaxy(setting, point, format, size, signal) {
  const atom = atomOf(point);
  if (atom?.kind === "seed") return bodyOf(await ask(galaxyAddress(setting, atom, format, size), { signal }), "blob");
  return made(await galaxyRequest(setting, point, (one) => latentOf(setting, one, signal)), format, size, signal);
}

/** @param {Request} request @param {string} format @param {number | null} size @param {AbortSignal} signal */
function made({ operation, body }, format, size, signal) {
  return quick(operation, { ...body, format, ...(size ? { size } : {}) }, signal);
}

/** @param {Setting} setting @param {import("./point.js").SeedAtom} atom @param {string} format @param {number | null} size */
function galaxyAddress({ model, psi }, atom, format, size) {
  const query = new URLSearchParams();
  if (atom.class) query.set("class", atom.class);
  if (psi !== null) query.set("truncation", String(psi));
  if (size) query.set("size", String(size));
  const tail = query.toString();
  return `/v1/galaxies/${encodeURIComponent(model).replace("%40", "@")}/${atom.seed}.${format}${tail ? `?${tail}` : ""}`;
}
