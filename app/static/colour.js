/** From values to colours: stretches and colour maps. */

/** @typedef {import("./formats/fits.js").FitsImage} FitsImage */
/** @typedef {(value: number) => [number, number, number]} ColourMap 0 … 1 to red, green, blue 0 … 255 */

/**
 * Stretches of 0 … 1 to 0 … 1; `soft` is where asinh and log turn from linear.
 * @type {Record<string, (value: number, soft: number) => number>}
 */
export const STRETCHES = {
  linear: (value) => value,
  sqrt: (value) => Math.sqrt(value),
  asinh: (value, soft) => Math.asinh(value / soft) / Math.asinh(1 / soft),
  log: (value, soft) => Math.log1p(value / soft) / Math.log1p(1 / soft),
};

/** @type {Record<string, {title: string, map: ColourMap}>} */
export const MAPS = {
  grey: { title: "Grey", map: (v) => [255 * v, 255 * v, 255 * v] },
  inverse: { title: "Inverse grey", map: (v) => [255 - 255 * v, 255 - 255 * v, 255 - 255 * v] },
  viridis: {
    title: "Viridis",
    map: between(["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"]),
  },
  magma: {
    title: "Magma",
    map: between(["#000004", "#1d1147", "#51127c", "#822681", "#b73779", "#e75263", "#fc8961", "#fec488", "#fcfdbf"]),
  },
  cubehelix: { title: "Cubehelix", map: cubehelix },
};

/** Evenly spaced colours with straight lines between them. @param {string[]} colours @returns {ColourMap} */
function between(colours) {
  const stops = colours.map((colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)));
  return (value) => {
    const at = value * (stops.length - 1);
    const i = Math.min(stops.length - 2, Math.floor(at));
    return /** @type {[number, number, number]} */ (
      stops[i].map((from, channel) => from + (at - i) * (stops[i + 1][channel] - from))
    );
  };
}

/** Green (2011), start 0.5, −1.5 rotations, hue 1, γ 1. @type {ColourMap} */
function cubehelix(value) {
  const angle = 2 * Math.PI * (0.5 / 3 - 1.5 * value);
  const amplitude = (value * (1 - value)) / 2;
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  return /** @type {[number, number, number]} */ (
    [-0.14861 * c + 1.78277 * s, -0.29227 * c - 0.90649 * s, 1.97294 * c].map(
      (turn) => 255 * Math.min(1, Math.max(0, value + amplitude * turn)),
    )
  );
}

/**
 * The bands that make a colour picture, red first: the same ones as in the service's own pictures. Three bands of a display-trained
 * model are red, green and blue as they stand. Else the reddest band is red and the bluest blue, by wavelength where every one is
 * known and in the file's order where not; green is the middle one, of two bands their mean.
 * @param {FitsImage[]} bands
 * @param {boolean} display whether the model was trained on display images
 * @returns {FitsImage[]} three, or the only one
 */
export function channels(bands, display) {
  if (bands.length === 1 || (display && bands.length === 3)) return bands;
  const known = bands.every((band) => band.wavelength !== null);
  const order = known ? [...bands].sort((a, b) => Number(a.wavelength) - Number(b.wavelength)) : bands;
  const [blue, red] = [order[0], order[order.length - 1]];
  return [red, order.length === 2 ? mean(blue, red) : order[order.length >> 1], blue];
}

/** @param {FitsImage} a @param {FitsImage} b @returns {FitsImage} */
function mean(a, b) {
  return { ...a, name: `mean of ${a.name} and ${b.name}`, wavelength: null, pixels: a.pixels.map((value, i) => (value + b.pixels[i]) / 2) };
}

/**
 * An image of `bands` (one: through the map; three: as red, green and blue), top row first.
 * @param {FitsImage[]} bands
 * @param {{stretch: string, soft: number, map: string, low: number, high: number}} look low and high: percentiles that are black and white
 * @returns {ImageData}
 */
export function paint(bands, { stretch, soft, map, low, high }) {
  const { width, height } = bands[0];
  const [black, white] = levels(bands, low, high);
  const stretched = STRETCHES[stretch] ?? STRETCHES.linear;
  const tone = (/** @type {number} */ value) =>
    stretched(Math.min(1, Math.max(0, (value - black) / (white - black || 1))) || 0, soft);
  const colours = (MAPS[map] ?? MAPS.grey).map;
  const image = new ImageData(width, height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const from = (height - 1 - y) * width + x;
      const colour =
        bands.length === 3 ? bands.map((band) => 255 * tone(band.pixels[from])) : colours(tone(bands[0].pixels[from]));
      image.data.set([...colour, 255], 4 * (y * width + x));
    }
  }
  return image;
}

/**
 * The values at two percentiles of all bands together.
 * @param {FitsImage[]} bands
 * @param {number} low
 * @param {number} high
 */
export function levels(bands, low, high) {
  const count = bands[0].width * bands[0].height;
  const sorted = Float32Array.from(bands.flatMap((band) => [...band.pixels.subarray(0, count)]).filter(Number.isFinite)).sort();
  const at = (/** @type {number} */ percentile) => sorted[Math.round((percentile / 100) * (sorted.length - 1))] ?? 0;
  return [at(Math.min(low, high)), at(Math.max(low, high))];
}
