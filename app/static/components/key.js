/** Asks for an API key when the service wants one. */

import { apiKey, connection, setApiKey } from "../api.js";
import { useConnection } from "../page.js";
import { html, useState } from "../vendor/preact-htm.js";
import { Dialog } from "./dialog.js";

export function KeyDialog() {
  const { state } = useConnection();
  const [key, setKey] = useState("");
  const [remember, setRemember] = useState(false);
  const save = (event) => {
    event.preventDefault();
    setApiKey(key.trim(), remember);
    setKey("");
  };
  return html`<${Dialog} open=${state === "key"} close=${() => connection.state === "key" && connection.become("ok")}
    title="An API key, please">
    <form onSubmit=${save} class="stack">
      <p>${apiKey() ? "The service does not accept the key that this browser has." : "This service works with API keys."} The
        person who runs it gives you one.</p>
      <label class="field"><span>API key</span><input type="password" autocomplete="off" required value=${key}
        onInput=${(event) => setKey(event.target.value)} /></label>
      <label class="check"><input type="checkbox" checked=${remember}
        onChange=${(event) => setRemember(event.target.checked)} /> Keep it in this browser (else only in this tab)</label>
      <button class="button primary" type="submit">Use this key</button>
    </form>
  <//>`;
}
