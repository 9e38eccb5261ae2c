/** Line icons, 24 × 24. They are decoration: the button's name says what it does. */

import { html } from "../vendor/preact-htm.js";

/** @type {Record<string, string>} */
const PATHS = {
  plus: "M12 5v14M5 12h14",
  close: "M6 6l12 12M18 6L6 18",
  heart: "M12 20s-7.500-4.600-7.500-10A4.200 4.200 0 0 1 12 7.300 4.200 4.200 0 0 1 19.500 10c0 5.400-7.500 10-7.500 10z",
  similar: "M4 9c2.700-2.700 5.300-2.700 8 0s5.300 2.700 8 0M4 15c2.700-2.700 5.300-2.700 8 0s5.300 2.700 8 0",
  left: "M14.500 6l-6 6 6 6",
  right: "M9.500 6l6 6-6 6",
  dice: "M5 5h14v14H5zM9 9h.010M15 9h.010M12 12h.010M9 15h.010M15 15h.010",
  play: "M8 5.500v13l11-6.500z",
  pause: "M8.500 5.500v13M15.500 5.500v13",
  download: "M12 4v11M7.500 11l4.500 4.500 4.500-4.500M5 20h14",
  code: "M9 7l-5 5 5 5M15 7l5 5-5 5",
  help: "M9.200 9.200a2.900 2.900 0 1 1 4.200 2.600c-.900.500-1.400 1.100-1.400 2.100M12 17.500h.010",
  swap: "M7 4L4 7l3 3M4 7h13M17 14l3 3-3 3M20 17H7",
};

/** @param {{name: string, filled?: boolean}} props */
export function Icon({ name, filled = false }) {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" fill=${filled ? "currentColor" : "none"}
    stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round">
    <path d=${PATHS[name]} />
  </svg>`;
}
