/** A modal dialogue: the browser's own, which keeps the focus inside and gives it back. It is there before the next key is pressed. */

import { html, useLayoutEffect, useRef } from "../vendor/preact-htm.js";
import { Icon } from "./icons.js";

/** @param {{open: boolean, close: () => void, title: string, children?: any, wide?: boolean}} props */
export function Dialog({ open, close, title, children, wide = false }) {
  const element = useRef(/** @type {any} */ (null));
  const closing = useRef(false); // by the page: the browser tells it later, when the dialogue may be open again
  useLayoutEffect(() => {
    if (open && !element.current.open) element.current.showModal();
    if (open || !element.current.open) return;
    closing.current = true;
    element.current.close();
  }, [open]);
  const closed = () => {
    if (!closing.current) close();
    closing.current = false;
  };
  const escape = (event) => {
    event.preventDefault(); // the browser would close it before the page knows, who may be asked to open it meanwhile
    close();
  };
  const outside = (event) => event.target === element.current && close();
  return html`<dialog ref=${element} class=${wide ? "dialog wide" : "dialog"} onCancel=${escape} onClose=${closed}
    onClick=${outside} aria-label=${title}>
    ${
      open
        ? html`<div class="dialog-body">
          <div class="dialog-head"><h2>${title}</h2><button class="icon-button" onClick=${close} aria-label="Close">
            <${Icon} name="close" /></button></div>
          ${children}
        </div>`
        : null
    }
  </dialog>`;
}
