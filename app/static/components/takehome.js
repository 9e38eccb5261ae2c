/** Downloads in every format, and the same request as code. */

import { apiKey } from "../api.js";
import { asCurl, asPython } from "../code.js";
import { useLoaded, usePage } from "../page.js";
import { html, useState } from "../vendor/preact-htm.js";
import { Chips } from "./controls.js";
import { Icon } from "./icons.js";
import { JobStatus, useJob } from "./job.js";

/** Formats that keep the model's own pixels, whatever size is chosen. */
const NATIVE = ["fits", "npz"];

/**
 * @param {{formats: [string, string][], request: import("./job.js").MakeRequest, extra?: (format: string) => object, name: string, remake: (string | number | null)[]}} props
 *   formats: key and title; extra: fields that a format adds; remake: what the request depends on
 */
export function TakeHome({ formats, request, extra = () => ({}), name, remake }) {
  const { card, state, go } = usePage();
  const { size } = state;
  const format = formats.some(([key]) => key === state.format) ? state.format : formats[0][0];
  const { status, start, cancel } = useJob("The service does not answer. Start the download again once it does.");
  const choose = (/** @type {string} */ chosen) => go({ format: chosen === formats[0][0] ? "" : chosen }, { replace: true });
  const whole = async (/** @type {string} */ chosen, /** @type {AbortSignal} */ signal) => {
    const { operation, body } = await request(signal);
    return { operation, body: { ...body, ...(size && !NATIVE.includes(chosen) ? { size } : {}), ...extra(chosen), format: chosen } };
  };
  const download = (/** @type {string} */ chosen) => {
    if (status.running) return; // its button keeps the focus meanwhile, so it is not disabled
    choose(chosen);
    start(
      (signal) => whole(chosen, signal),
      (blob) => save(blob, `${name}.${chosen}`),
    );
  };
  const native = card?.resolution ?? 64;
  const sizes = [128, 256, 512, 1024, size].filter((one, i, all) => (one > native || one === size) && one && all.indexOf(one) === i);
  return html`<section class="stack takehome" aria-label="Take it home">
    <div class="row">
      ${formats.map(([key, title]) => html`<button key=${key} class="button" onClick=${() => download(key)}
        aria-disabled=${status.running} aria-current=${key === state.format} aria-label=${`Download ${title}`}><${Icon} name="download" /> ${title}</button>`)}
      <label class="field inline"><span>Size</span>
        <select value=${String(size)} onChange=${(event) => go({ size: Number(event.target.value) }, { replace: true })}>
          <option value="0">${native} px (native)</option>
          ${sizes.map((one) => html`<option key=${one} value=${String(one)}>${one} px</option>`)}
        </select>
      </label>
    </div>
    ${size && formats.some(([key]) => NATIVE.includes(key)) ? html`<p class="small-print">FITS keeps the model's own
      ${` ${native} × ${native} `}pixels.</p>` : null}
    <${JobStatus} status=${status} cancel=${cancel} what="The download" />
    <${Code} make=${(/** @type {AbortSignal} */ signal) => whole(format, signal)} remake=${[...remake, format, size]}>
      <${Chips} label="Format" name="format" value=${format} options=${formats} onChange=${choose} /><//>
  </section>`;
}

/** @param {{make: import("./job.js").MakeRequest, remake: (string | number | null)[], children: any}} props */
function Code({ make, remake, children }) {
  const [open, setOpen] = useState(false);
  return html`<details class="code-details" open=${open} onToggle=${(event) => setOpen(event.target.open)}>
    <summary><${Icon} name="code" /> Copy as curl or Python</summary>
    ${open ? html`<${CodeText} make=${make} remake=${remake}>${children}<//>` : null}
  </details>`;
}

/** @param {{make: import("./job.js").MakeRequest, remake: (string | number | null)[], children: any}} props */
function CodeText({ make, remake, children }) {
  const { say } = usePage();
  const [language, setLanguage] = useState("curl");
  const { value, error } = useLoaded(make, remake);
  const keyed = apiKey() !== "";
  const text = value ? (language === "curl" ? asCurl : asPython)(value, location.origin, keyed) : error;
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      say("Copied");
    } catch {
      say("The browser does not let the page copy; select the text instead");
    }
  };
  return html`<div class="code stack">
    <div class="row"><${Chips} label="Language" name="language" value=${language} options=${[
      ["curl", "curl"],
      ["python", "Python"],
    ]} onChange=${setLanguage} />${children}
      <button class="button small" onClick=${copy}>Copy</button></div>
    <pre tabindex="0" aria-label=${language === "curl" ? "curl command" : "Python code"}>${text || "…"}</pre>
  </div>`;
}

/** Give the reader a file. @param {Blob} blob @param {string} name */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
