/** What is wrong with the service, in plain words, above the view. */

import { html } from "../vendor/preact-htm.js";
import { useConnection } from "../page.js";

/** @param {{failed: string, retry: () => void}} props failed: why the models could not be read, or "" */
export function Banner({ failed, retry }) {
  const { state } = useConnection();
  if (state === "offline") {
    return html`<p class="banner" role="alert"><span class="pulse" aria-hidden="true"></span>The service does not answer. It
      may be restarting; this page keeps trying and goes on by itself.</p>`;
  }
  if (!failed || state === "key") return html`<div role="alert"></div>`;
  return html`<p class="banner" role="alert">${failed} <button class="button small" onClick=${retry}>Try again</button></p>`;
}
