/** Reads what a PNG of the service says of itself. */

/** The JSON in the iTXt chunk `galaxy`, or null. @param {ArrayBuffer} bytes @returns {{request: any, model: any} | null} */
export function provenance(bytes) {
  const view = new DataView(bytes);
  for (let at = 8; at + 8 <= bytes.byteLength;) {
    const length = view.getUint32(at);
    const chunk = new Uint8Array(bytes, at + 4, Math.min(4 + length, bytes.byteLength - at - 4));
    if (latin(chunk.subarray(0, 4)) === "iTXt" && latin(chunk.subarray(4, 11)) === "galaxy\0") return parse(chunk.subarray(11));
    at += 12 + length;
  }
  return null;
}

/** Keyword and its zero are gone: compression flag and method, language, translated keyword, text. @param {Uint8Array} rest */
function parse(rest) {
  if (rest[0] !== 0) return null; // compressed; the service does not do that
  const language = rest.indexOf(0, 2);
  const translated = rest.indexOf(0, language + 1);
  try {
    return JSON.parse(new TextDecoder().decode(rest.subarray(translated + 1)));
  } catch {
    return null;
  }
}

/** @param {Uint8Array} bytes */
function latin(bytes) {
  return String.fromCharCode(...bytes);
}
