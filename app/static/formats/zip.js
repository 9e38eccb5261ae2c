/** Reads ZIP archives whose entries are stored or deflated. */

/** @param {Blob} blob @returns {Promise<Map<string, Blob>>} by name, in the archive's order */
export async function unzip(blob) {
  const bytes = await blob.arrayBuffer();
  const view = new DataView(bytes);
  const found = new Map();
  let at = directory(view);
  while (at + 46 <= view.byteLength && view.getUint32(at, true) === 0x02014b50) {
    const method = view.getUint16(at + 10, true);
    const size = view.getUint32(at + 20, true);
    const nameLength = view.getUint16(at + 28, true);
    const header = view.getUint32(at + 42, true);
    const name = new TextDecoder().decode(new Uint8Array(bytes, at + 46, nameLength));
    const start = header + 30 + view.getUint16(header + 26, true) + view.getUint16(header + 28, true);
    const packed = blob.slice(start, start + size, name.endsWith(".png") ? "image/png" : "");
    found.set(name, method === 0 ? packed : await inflate(packed));
    at += 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return found;
}

/** Where the central directory begins. @param {DataView} view */
function directory(view) {
  for (let at = view.byteLength - 22; at >= 0; at -= 1) {
    if (view.getUint32(at, true) === 0x06054b50) return view.getUint32(at + 16, true);
  }
  throw new Error("this is no ZIP archive");
}

/** @param {Blob} packed */
function inflate(packed) {
  return new Response(packed.stream().pipeThrough(new DecompressionStream("deflate-raw"))).blob();
}
