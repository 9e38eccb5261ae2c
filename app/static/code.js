/** A request as a shell command and as Python. */

/** @typedef {import("./requests.js").Request} Request */

/** @type {Record<string, string>} */
const NAMES = { generate: "galaxy", interpolate: "film", mix: "mix", arithmetic: "sum" };

/**
 * Order, listen until it has ended, fetch: no job is too long for that, a busy service is waited for, and what fails is never saved as
 * the file.
 * @param {Request} request with its `format`
 * @param {string} base address of the service
 * @param {boolean} keyed whether it asks for a key
 */
export function asCurl({ operation, body }, base, keyed) {
  const quoted = JSON.stringify(body).replaceAll("'", `'\\''`);
  const curl = keyed ? 'curl -fsS --retry 5 -H "Authorization: Bearer $GALSYNTH_API_KEY"' : "curl -fsS --retry 5";
  return [
    `job=$(${curl} -H 'Content-Type: application/json' \\`,
    `  -d '${quoted}' \\`,
    `  ${base}/v1/${operation} | sed -n 's/.*"id": *"\\([^"]*\\)".*/\\1/p') &&`,
    `${curl} -N ${base}/v1/jobs/\${job:?none was made}/events >&2 &&`,
    `${curl} -o ${fileOf(operation, body)} ${base}/v1/jobs/$job/result`,
  ].join("\n");
}

/**
 * @param {Request} request with its `format`
 * @param {string} base
 * @param {boolean} keyed
 */
export function asPython({ operation, body }, base, keyed) {
  const { format, ...fields } = body;
  const known = ENDINGS[format];
  const given = Object.entries(known ? fields : body).map(([name, value]) => `    ${argument(name)}=${literal(value)},`);
  const end = (known ?? '.save("FILE")').replace("FILE", fileOf(operation, body));
  const key = keyed ? ', api_key=os.environ["GALSYNTH_API_KEY"]' : "";
  return [
    ...(keyed ? ["import os", ""] : []),
    "from galsynth import Client",
    "",
    `client = Client(${literal(base)}${key})`,
    `client.${operation}(`,
    ...given,
    `)${end}`,
    "",
  ].join("\n");
}

/** What is done with a result of that format, where its `save` is not the thing. @type {Record<string, string>} */
const ENDINGS = { png: '.image().save("FILE")', fits: '.fits().writeto("FILE", overwrite=True)' };

/** A field's name where Python's own words are taken. @param {string} name */
function argument(name) {
  return name === "class" || name === "from" ? `${name}_` : name;
}

/** @param {string} operation @param {Record<string, any>} body */
function fileOf(operation, body) {
  return `${NAMES[operation]}.${body.format}`;
}

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
