/** What is wrong with the service, in plain words, above the view. */

import { connection } from "../api.js";
import { useConnection } from "../page.js";
import { html, useEffect, useState } from "../vendor/preact-htm.js";

/** @param {{failed: string, retry: (() => void) | null}} props failed: why the models could not be read, or "" */
export function Banner({ failed, retry }) {
  const { state, waits } = useConnection();
  if (state === "offline") {
    return html`<p class="banner" role="alert"><span class="pulse" aria-hidden="true"></span>The service does not answer. It
      may be restarting; this page keeps trying and goes on by itself.</p>`;
  }
  if (waits.size > 0) return html`<${Busy} waits=${[...waits]} />`;
  if (!failed || state === "key") return html`<div role="alert"></div>`;
  return html`<p class="banner" role="alert">${failed} ${retry ? html`<button class="button small"
    onClick=${retry}>Try again</button>` : null}</p>`;
}

/** Counts down to the next try. The seconds are not read out: that would never end. @param {{waits: import("../api.js").Wait[]}} props */
function Busy({ waits }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), 1000);
    return () => clearInterval(timer);
  }, []);
  const next = waits.reduce((soonest, wait) => (wait.until < soonest.until ? wait : soonest));
  const seconds = Math.max(1, Math.ceil((next.until - Date.now()) / 1000));
  return html`<div class="banner calm"><span class="pulse" aria-hidden="true"></span>
    <span><span role="status">The service is busy: ${next.why}.</span> Trying again in ${seconds} s.</span>
    <button class="button small" onClick=${() => connection.stopWaiting()}>Stop waiting</button></div>`;
}
