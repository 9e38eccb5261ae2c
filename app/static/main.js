/** Puts the page into the document. */

import { App } from "./app.js";
import { html, render } from "./vendor/preact-htm.js";

const root = /** @type {HTMLElement} */ (document.getElementById("page"));
root.replaceChildren();
render(html`<${App} />`, root);
