/** Asks for an API key when the service wants one. */

import { apiKey, setApiKey } from "../api.js";
import { usePage } from "../page.js";
import { html, useState } from "../vendor/preact-htm.js";
import { Dialog } from "./dialog.js";

/** @param {{open: boolean, close: () => void}} props */
export function KeyDialog({ open, close }) {
  const [key, setKey] = useState("");
  const [remember, setRemember] = useState(false);
  const save = (event) => {
    event.preventDefault();
    setApiKey(key.trim(), remember);
    setKey("");
  };
  return html`<${Dialog} open=${open} close=${close} title="An API key, please">
    <form onSubmit=${save} class="stack">
      <p>${apiKey() ? "The service does not accept the key that this browser has." : "This service works with API keys."} The
        person who runs it gives you one.</p>
      <label class="field"><span>API key</span><input type="password" autocomplete="off" autofocus required value=${key}
        onInput=${(event) => setKey(event.target.value)} /></label>
      <label class="check"><input type="checkbox" checked=${remember}
        onChange=${(event) => setRemember(event.target.checked)} /> Keep it in this browser (else only in this tab)</label>
      <div class="row"><button class="button primary" type="submit">Use this key</button>
        <button class="button" type="button" onClick=${close}>Not now</button></div>
    </form>
  <//>`;
}

/** What stands in place of a view until there is a key. */
export function NeedsKey() {
  const { askForKey } = usePage();
  return html`<div class="view"><div class="empty"><h1>A key is needed</h1>
    <p>This service shows galaxies only to those who have an API key${apiKey() ? ", and it does not accept the one of this browser"
      : ""}.</p>
    <p><button class="button primary" onClick=${askForKey}>Enter a key</button></p></div></div>`;
}
