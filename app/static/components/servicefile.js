/** Files of the service beside galaxies. A link cannot send a key, so where there is one they are fetched. */

import { apiKey, ask, bodyOf, inWords } from "../api.js";
import { useLoaded, usePage } from "../page.js";
import { html, useEffect } from "../vendor/preact-htm.js";
import { save } from "./takehome.js";

/** @param {{href: string, name: string, accept: string, children: any}} props name: of the file, where it has to be saved */
export function ServiceLink({ href, name, accept, children }) {
  const { say } = usePage();
  if (!apiKey()) return html`<a href=${href}>${children}</a>`;
  const fetched = () =>
    ask(href, { headers: { accept } })
      .then((answer) => bodyOf(answer, "blob"))
      .then((file) => save(file, name))
      .catch((error) => say(inWords(error)));
  return html`<button class="button small" onClick=${fetched}>${children}</button>`;
}

/** @param {{src: string, alt: string}} props */
export function ServiceImage({ src, alt }) {
  const { value } = useLoaded(async (signal) => URL.createObjectURL(await bodyOf(await ask(src, { signal }), "blob")), [src]);
  useEffect(() => () => void (value && URL.revokeObjectURL(value)), [value]);
  return html`<span class=${value ? "samples" : "samples loading"}>${value ? html`<img src=${value} alt=${alt} />`
    : null}</span>`;
}

/** Card and report of a model version. @param {{card: any}} props */
export function ModelFiles({ card }) {
  const reference = `${card.name}@${card.version}`;
  const reported = Object.values(card.files).some((/** @type {any} */ file) => file.role === "report_html");
  return html`<${ServiceLink} href=${`/v1/models/${reference}`} name=${`${reference}.json`} accept="application/json">Card<//>
    ${reported ? html`<${ServiceLink} href=${`/v1/models/${reference}/report`} name=${`${reference}-report.html`}
      accept="text/html">Evaluation report<//>` : html`<span class="soft">It came without an evaluation report: nobody has
        published how near its galaxies are to real ones${Object.keys(card.metrics).length ? ", beyond the figures of its card" : ""}.
        </span>`}`;
}
