/** What the browser keeps for the page. Where the reader has blocked that, or it is full: kept as long as the page stands. */

/** @typedef {"browser" | "tab"} Place for good, or as long as the tab is open */

/** @type {Record<Place, Map<string, string>>} */
const unkept = { browser: new Map(), tab: new Map() };

/** @param {string} key @param {Place} [place] @returns {string | null} */
export function recall(key, place = "browser") {
  try {
    return unkept[place].get(key) ?? stores[place]().getItem(key);
  } catch {
    return unkept[place].get(key) ?? null;
  }
}

/** @param {string} key @param {string} text @param {Place} [place] @returns {boolean} false where it goes with the page */
export function keep(key, text, place = "browser") {
  unkept[place].delete(key);
  try {
    stores[place]().setItem(key, text);
    return true;
  } catch {
    unkept[place].set(key, text);
    return false;
  }
}

/** @param {string} key @param {Place} [place] */
export function forget(key, place = "browser") {
  unkept[place].delete(key);
  try {
    stores[place]().removeItem(key);
  } catch {
    // A browser that keeps nothing has nothing to forget.
  }
}

/** Even to name a store that is blocked is an error. @type {Record<Place, () => Storage>} */
const stores = { browser: () => localStorage, tab: () => sessionStorage };
