/** A grid of tiles in which the arrow keys go from galaxy to galaxy. */

import { html, useEffect, useRef } from "../vendor/preact-htm.js";

/** @param {{children: any[], label: string, className?: string}} props */
export function Grid({ children, label, className = "grid" }) {
  return html`<ul class=${className} aria-label=${label}
    onKeyDown=${move}>${children.map((tile) => html`<li key=${tile.key}>${tile}</li>`)}</ul>`;
}

/** Focus the nearest galaxy in the direction of the arrow. @param {KeyboardEvent} event */
export function move(event) {
  const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  const here = /** @type {Element} */ (event.target).closest?.(".tile-link");
  if (!direction || !here) return;
  event.preventDefault();
  const [x, y] = centre(here);
  const [dx, dy] = direction;
  const links = [.../** @type {Element} */ (event.currentTarget).querySelectorAll(".tile-link")];
  const reached = links
    .map((link) => ({
      link,
      along: (centre(link)[0] - x) * dx + (centre(link)[1] - y) * dy,
      aside: Math.abs((centre(link)[0] - x) * dy) + Math.abs((centre(link)[1] - y) * dx),
    }))
    .filter(({ along }) => along > 8)
    .sort((a, b) => a.along + 3 * a.aside - (b.along + 3 * b.aside));
  /** @type {HTMLElement | undefined} */ (reached[0]?.link)?.focus();
}

/**
 * Whoever turns the page of a grid goes on at its first galaxy.
 * @param {number} page
 * @returns {() => void} to be called when the page is turned
 */
export function useTurning(page) {
  const turned = useRef(false);
  useEffect(() => {
    if (!turned.current) return;
    turned.current = false;
    scrollTo(0, 0);
    /** @type {HTMLElement | null} */ (document.querySelector("main .tile-link"))?.focus({ preventScroll: true });
  }, [page]);
  return () => void (turned.current = true);
}

/** @param {Element} element */
function centre(element) {
  const box = element.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
}
