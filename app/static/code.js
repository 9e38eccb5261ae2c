/** A request as a shell command and as Python. */

/** @typedef {import("./requests.js").Request} Request */

/** @type {Record<string, string>} */
const NAMES = { generate: "galaxy", interpolate: "film", mix: "mix", arithmetic: "sum" };

/**
 * @param {Request} request with its `format`
 * @param {string} base address of the service
 * @param {boolean} keyed whether it asks for a key
 */
export function asCurl({ operation, body }, base, keyed) {
  const quoted = JSON.stringify(body).replaceAll("'", `'\\''`);
  const key = keyed ? ` -H "Authorization: Bearer $GALSYNTH_KEY"` : "";
  return `curl -o ${NAMES[operation]}.${body.format} -H 'Prefer: wait=60' -H 'Content-Type: application/json'${key} \\\n  -d '${quoted}' \\\n  ${base}/v1/${operation}`;
}

/** @param {Request} request with its `format` @param {string} base @param {boolean} keyed */
export function asPython({ operation, body }, base, keyed) {
  const { format, ...fields } = body;
  const given = Object.entries(fields).map(
    ([name, value]) => `    ${name === "class" || name === "from" ? `${name}_` : name}=${literal(value)},`,
  );
  const client = keyed ? `Client(${literal(base)}, api_key=os.environ["GALSYNTH_KEY"])` : `Client(${literal(base)})`;
  const [call, end] = ENDINGS[format] ?? [`    format=${literal(format)},\n`, `.save("${NAMES[operation]}.${format}")`];
  const file = `${NAMES[operation]}.${format}`;
  return `${keyed ? "import os\n\n"
    : ""}from galsynth import Client\n\nclient = ${client}\nclient.${operation}(\n${given.join("\n")}\n${call})${end.replace("FILE", file)}\n`;
}

/** @type {Record<string, [string, string]>} format → further arguments, what is done with the result */
const ENDINGS = { png: ["", '.image().save("FILE")'], fits: ["", '.fits().writeto("FILE")'] };

/** A JSON value as a Python literal. @param {any} value @returns {string} */
function literal(value) {
  if (value === true) return "True";
  if (value === false) return "False";
  if (value === null) return "None";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "object")
    return `{${Object.entries(value)
      .map(([name, one]) => `${JSON.stringify(name)}: ${literal(one)}`)
      .join(", ")}}`;
  return JSON.stringify(value);
}
