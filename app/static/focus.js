/** Where keyboard and screen reader are: in a new view at its top, after going back where they were, and never nowhere. */

import { useEffect, useLayoutEffect, useRef, useState } from "./vendor/preact-htm.js";

/** @typedef {{selector: string, index: number}} Sign of a control, by which it is found again */
/** @typedef {{y: number, sign: Sign | null}} Place how far down the reader is, and on which control */
/** @typedef {{stay?: boolean, moved?: boolean, place?: Place}} Arrival stay: the reader goes on where they are; moved: through the history */

const CONTROLS = 'a[href], button:not(:disabled), input:not(:disabled), select:not(:disabled), summary, [tabindex="0"]';
const MARKS = ["href", "aria-label", "name", "type"];

/** Where the reader is now. @returns {Place} */
export function placeOf() {
  return { y: scrollY, sign: signOf(document.activeElement) };
}

/**
 * Where reading goes on when an address has changed.
 * @param {Arrival} arrival another one for each change of the address
 * @param {string} spot what the view shows; within one the reader stays where they are
 * @param {string} name of what is shown
 * @param {boolean} drawn false until there is a view
 * @returns {{main: {current: any}, announced: string}} announced: to be read out, where the focus does not say it
 */
export function useArrival(arrival, spot, name, drawn) {
  const main = useRef(/** @type {any} */ (null));
  const before = useRef(spot);
  const seen = useRef(/** @type {Arrival | null} */ (null));
  const [announced, announce] = useState("");
  useLayoutEffect(() => {
    if (!drawn || seen.current === arrival) return undefined;
    const other = before.current !== spot;
    seen.current = arrival;
    before.current = spot;
    if (other) announce(arrival.stay || arrival.moved ? name : "");
    if (arrival.place) return goTo(arrival.place, main.current);
    if (!other || arrival.stay) return undefined;
    scrollTo(0, 0);
    main.current.focus({ preventScroll: true });
    return undefined;
  }, [arrival, drawn]);
  return { main, announced };
}

/** When the control that has the focus goes away, the focus goes to what comes in its place instead of to the top of the page. */
export function useKeptFocus() {
  useEffect(() => {
    /** @type {{element: Element, around: [Element, number][]} | null} */
    let held = null;
    const hold = (/** @type {FocusEvent} */ { target }) => {
      const element = /** @type {Element} */ (target);
      held = { element, around: around(element) };
    };
    const heal = () => {
      if (!held || held.element.isConnected) return;
      const lost = held;
      held = null;
      if (document.activeElement === document.body) takePlace(lost.around);
    };
    const watch = new MutationObserver(heal);
    watch.observe(document.body, { childList: true, subtree: true });
    addEventListener("focusin", hold);
    return () => {
      watch.disconnect();
      removeEventListener("focusin", hold);
    };
  }, []);
}

/** What a control stands in, from near to far, and as which control there. @param {Element} element @returns {[Element, number][]} */
function around(element) {
  const found = /** @type {[Element, number][]} */ ([]);
  for (let outer = element.parentElement; outer; outer = outer.parentElement)
    found.push([outer, [...outer.querySelectorAll(CONTROLS)].indexOf(element)]);
  return found;
}

/** Focus the control that comes in the place of a lost one: as near to it as there is any. @param {[Element, number][]} places */
function takePlace(places) {
  for (const [outer, index] of places) {
    const there = outer.isConnected ? [...outer.querySelectorAll(CONTROLS)] : [];
    const next = /** @type {HTMLElement | undefined} */ (there[Math.min(index, there.length - 1)]);
    next?.focus({ preventScroll: true });
    if (next && document.activeElement === next) return;
  }
}

/**
 * Back to where the reader was. What had the focus may come later than the view: then it is awaited, unless the reader goes on.
 * @param {Place} place
 * @param {HTMLElement} main
 * @returns {(() => void) | undefined} ends the waiting
 */
function goTo({ y, sign }, main) {
  const focus = () => {
    const control = sign && /** @type {HTMLElement | undefined} */ (document.querySelectorAll(sign.selector)[sign.index]);
    control?.focus({ preventScroll: true });
    return Boolean(control);
  };
  scrollTo(0, y);
  if (focus()) return undefined;
  if (document.activeElement === document.body || !document.activeElement) main.focus({ preventScroll: true });
  if (!sign) return undefined;
  const watch = new MutationObserver(() => focus() && end());
  const end = () => {
    watch.disconnect();
    for (const event of ["pointerdown", "keydown"]) removeEventListener(event, end, true);
  };
  watch.observe(main, { childList: true, subtree: true, attributes: true, attributeFilter: ["href"] });
  for (const event of ["pointerdown", "keydown"]) addEventListener(event, end, true);
  return end;
}

/** @param {Element | null} element @returns {Sign | null} null for none that is a control */
function signOf(element) {
  if (!element?.matches(CONTROLS)) return null;
  const marks = MARKS.filter((name) => element.hasAttribute(name));
  if (element.matches("[type=radio]")) marks.push("value");
  const selector = element.localName + marks.map((name) => `[${name}="${CSS.escape(element.getAttribute(name) ?? "")}"]`).join("");
  return { selector, index: [...document.querySelectorAll(selector)].indexOf(element) };
}
