/**
 * Reads FITS: headers, images (BITPIX 8 … 64 and floats, BSCALE, BZERO, BLANK) and binary tables of text, whole numbers and floats.
 *
 * @typedef {{keyword: string, value: string | number | boolean | null, comment: string}} Card
 * @typedef {{cards: Card[], data: DataView, value: (keyword: string) => any}} Hdu
 * @typedef {{name: string, width: number, height: number, depth: number, unit: string, wavelength: number | null, pixels: Float32Array}} FitsImage
 */

const BLOCK = 2880;
const CARD = 80;

/** @param {ArrayBuffer} bytes @returns {Hdu[]} */
export function readFits(bytes) {
  if (bytes.byteLength < BLOCK || !text(bytes, 0, 6).startsWith("SIMPLE")) throw new Error("it is no FITS file");
  const found = [];
  for (let at = 0; at + BLOCK <= bytes.byteLength;) {
    const cards = header(bytes, at);
    const value = lookup(cards);
    const start = at + Math.ceil((cards.length + 1) / (BLOCK / CARD)) * BLOCK;
    const size = dataSize(value);
    if (!(start + size <= bytes.byteLength)) throw new Error("it ends before its data do");
    found.push({ cards, value, data: new DataView(bytes, start, size) });
    at = start + Math.ceil(size / BLOCK) * BLOCK;
  }
  return found;
}

/** Every image of a file, first row at the bottom as FITS has it. @param {Hdu[]} hdus @returns {FitsImage[]} */
export function images(hdus) {
  return hdus.filter((hdu, i) => (i === 0 || hdu.value("XTENSION") === "IMAGE") && hdu.value("NAXIS") >= 2).map(image);
}

/**
 * A column of a table, row by row.
 * @param {Hdu} hdu
 * @param {string} name
 * @returns {(string | number[])[] | null} null where there is no such column
 */
export function column(hdu, name) {
  let offset = 0;
  for (let field = 1; field <= hdu.value("TFIELDS"); field += 1) {
    const [, repeat, code] = /^(\d*)([A-Z])/.exec(hdu.value(`TFORM${field}`)) ?? [];
    const count = repeat === "" ? 1 : Number(repeat);
    if (hdu.value(`TTYPE${field}`) === name) return rows(hdu, offset, count, code);
    offset += count * WIDTHS[code];
  }
  return null;
}

/** @type {Record<string, number>} */
const WIDTHS = { A: 1, L: 1, B: 1, I: 2, J: 4, K: 8, E: 4, D: 8 };

/** @type {Record<string, (view: DataView, at: number) => number>} */
const READERS = {
  8: (view, at) => view.getUint8(at),
  16: (view, at) => view.getInt16(at),
  32: (view, at) => view.getInt32(at),
  64: (view, at) => Number(view.getBigInt64(at)),
  "-32": (view, at) => view.getFloat32(at),
  "-64": (view, at) => view.getFloat64(at),
};

/** @type {Record<string, string>} */
const BITPIX_OF = { B: "8", I: "16", J: "32", K: "64", E: "-32", D: "-64" };

/** @param {Hdu} hdu @param {number} offset @param {number} count @param {string} code */
function rows(hdu, offset, count, code) {
  const stride = hdu.value("NAXIS1");
  return Array.from({ length: hdu.value("NAXIS2") }, (_, row) => {
    const at = row * stride + offset;
    if (code === "A") return text(hdu.data.buffer, hdu.data.byteOffset + at, count).replace(/[\0 ]+$/, "");
    const read = READERS[BITPIX_OF[code]];
    return Array.from({ length: count }, (_value, i) => read(hdu.data, at + i * WIDTHS[code]));
  });
}

/** @param {Hdu} hdu @returns {FitsImage} */
function image(hdu) {
  const [width, height, depth] = [hdu.value("NAXIS1"), hdu.value("NAXIS2"), hdu.value("NAXIS3") ?? 1];
  const bitpix = hdu.value("BITPIX");
  const read = READERS[bitpix];
  const [scale, zero, blank] = [hdu.value("BSCALE") ?? 1, hdu.value("BZERO") ?? 0, hdu.value("BLANK")];
  const step = Math.abs(bitpix) / 8;
  const pixels = new Float32Array(width * height * depth);
  for (let i = 0; i < pixels.length; i += 1) {
    const raw = read(hdu.data, i * step);
    pixels[i] = bitpix > 0 && raw === blank ? NaN : raw * scale + zero;
  }
  const [name, unit, wavelength] = [hdu.value("EXTNAME") ?? "PRIMARY", hdu.value("BUNIT") ?? "", hdu.value("WAVELEN") ?? null];
  return { name, width, height, depth, unit, wavelength, pixels };
}

/** @param {ArrayBuffer} bytes @param {number} at @returns {Card[]} without END */
function header(bytes, at) {
  const cards = [];
  for (; at + CARD <= bytes.byteLength; at += CARD) {
    const line = text(bytes, at, CARD);
    const keyword = line.slice(0, 8).trim();
    if (keyword === "END") return cards;
    cards.push(
      line.slice(8, 10) === "= "
        ? { keyword, ...parseValue(line.slice(10)) }
        : { keyword, value: null, comment: line.slice(8).trimEnd() },
    );
  }
  throw new Error("a header has no END");
}

/** @param {string} field what follows "= " */
function parseValue(field) {
  const quoted = /^ *'((?:[^']|'')*)' *(?:\/ ?(.*))?$/.exec(field);
  if (quoted) return { value: quoted[1].replaceAll("''", "'").trimEnd(), comment: (quoted[2] ?? "").trimEnd() };
  const [bare, ...rest] = field.split("/");
  const word = bare.trim();
  const value = word === "" ? null : word === "T" || word === "F" ? word === "T" : Number(word.replace("D", "E"));
  return { value, comment: rest.join("/").trim() };
}

/** @param {Card[]} cards @returns {(keyword: string) => any} */
function lookup(cards) {
  const values = new Map(cards.filter((card) => card.value !== null).map((card) => [card.keyword, card.value]));
  return (keyword) => values.get(keyword);
}

/** @param {(keyword: string) => any} value */
function dataSize(value) {
  const axes = Array.from({ length: value("NAXIS") }, (_, i) => value(`NAXIS${i + 1}`));
  if (axes.length === 0) return 0;
  const elements = axes.reduce((product, length) => product * length, 1);
  return (Math.abs(value("BITPIX")) / 8) * (value("GCOUNT") ?? 1) * ((value("PCOUNT") ?? 0) + elements);
}

/** @param {ArrayBufferLike} bytes @param {number} at @param {number} length */
function text(bytes, at, length) {
  return new TextDecoder("latin1").decode(new Uint8Array(bytes, at, length));
}
