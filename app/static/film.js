/** The frames of a film: decoded when they are looked at, and a few of them kept. */

import { unzip } from "./formats/zip.js";

const KEPT = 120;

/** Frames of one film, from the ZIP that the service makes of it. */
export class Frames {
  /** @param {Blob[]} blobs one PNG a frame */
  constructor(blobs) {
    this.blobs = blobs;
    /** @type {Map<number, Promise<ImageBitmap>>} */
    this.decoded = new Map();
  }

  /** @param {Blob} archive */
  static async of(archive) {
    const files = await unzip(archive);
    return new Frames([...files].filter(([name]) => name.endsWith(".png")).map(([, blob]) => blob));
  }

  get length() {
    return this.blobs.length;
  }

  /** @param {number} index @returns {Promise<ImageBitmap>} */
  frame(index) {
    const known = this.decoded.get(index) ?? createImageBitmap(this.blobs[index]);
    this.decoded.delete(index);
    this.decoded.set(index, known);
    for (const [oldest, bitmap] of this.decoded) {
      if (this.decoded.size <= KEPT) break;
      this.decoded.delete(oldest);
      close(bitmap);
    }
    return known;
  }

  /** Give its memory back at once: the browser's collector does not know how much bitmaps hold. */
  close() {
    for (const bitmap of this.decoded.values()) close(bitmap);
    this.decoded.clear();
  }
}

/** @param {Promise<ImageBitmap>} bitmap */
function close(bitmap) {
  bitmap.then(
    (one) => one.close(),
    () => {}, // a damaged picture: whoever wanted to draw it has been told
  );
}

/**
 * Where a frame lies on the path, as the service counts it: between stop `from` and `to`, at share `t`.
 * @param {number} frame @param {number} frames @param {number} stops @param {boolean} loop
 */
export function placeOf(frame, frames, stops, loop) {
  const segments = loop ? stops : stops - 1;
  const steps = loop ? frames : frames - 1;
  const from = Math.min(segments - 1, Math.floor((frame * segments) / steps));
  return { from, to: (from + 1) % stops, t: (frame * segments) / steps - from };
}
