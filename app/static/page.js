/** What every view and component needs of the page: its address, the model, and a voice for screen readers. */

import { createContext, html, useContext, useEffect, useRef, useState } from "./vendor/preact-htm.js";
import { connection, inWords, isAbort, isPassing, isRefusal, throughOutages } from "./api.js";

/** @typedef {import("./address.js").State} State */
/**
 * @typedef {object} PageValue
 * @property {State} state
 * @property {(patch: Partial<State>, how?: {replace?: boolean, stay?: boolean}) => void} go replace: no new entry of the history; stay: the
 *   reader goes on where they are, though another galaxy is shown
 * @property {(patch: Partial<State>) => string} href
 * @property {any[]} models summaries of the service's models
 * @property {any} card of the model in use, null until it is there
 * @property {import("./requests.js").Setting} setting
 * @property {(text: string) => void} say reads `text` out and shows it for a moment
 * @property {() => void} askForKey
 */

/** @type {import("preact").Context<PageValue>} */
export const Page = createContext(/** @type {any} */ (null));

/** @returns {PageValue} */
export function usePage() {
  return useContext(Page);
}

/** A model version as requests name it. @param {{name: string, version: string}} model */
export function referenceOf({ name, version }) {
  return `${name}@${version}`;
}

/** A link within the page: a plain click changes the address without loading anything. */
export function Link({ to, replace = false, stay = false, children, ...rest }) {
  const { go, href } = usePage();
  const click = (/** @type {MouseEvent} */ event) => {
    if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(to, { replace, stay });
  };
  return html`<a href=${href(to)} onClick=${click} ...${rest}>${children}</a>`;
}

/**
 * Value of a promise, remade when `dependencies` change, and after an outage that it met. Until then the old value stays, and `busy` is true.
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} make
 * @param {(string | number | boolean | null | undefined)[]} dependencies
 * @returns {{value: T | null, error: string, busy: boolean, retry: (() => void) | null}} retry: null where it would fail again
 */
export function useLoaded(make, dependencies) {
  const key = JSON.stringify(dependencies);
  const [loaded, setLoaded] = useState({ value: /** @type {T | null} */ (null), error: "", refused: false, key: "" });
  const [attempt, setAttempt] = useState(0);
  const passing = useRef(false);
  const { recoveries } = useConnection();
  const retry = () => setAttempt((count) => count + 1);
  useEffect(() => {
    const control = new AbortController();
    let current = true;
    passing.current = false;
    const fail = (/** @type {unknown} */ error) => {
      if (!current || isAbort(error)) return;
      passing.current = isPassing(error);
      setLoaded({ value: null, error: inWords(error), refused: isRefusal(error), key });
    };
    throughOutages(() => make(control.signal), control.signal, fail).then(
      (value) => current && setLoaded({ value, error: "", refused: false, key }),
      fail,
    );
    return () => {
      current = false;
      control.abort();
    };
  }, [key, attempt]);
  useEffect(() => void (passing.current && retry()), [recoveries]);
  return { value: loaded.value, error: loaded.error, busy: loaded.key !== key, retry: loaded.refused ? null : retry };
}

/** State of the connection, live. */
export function useConnection() {
  const [, redraw] = useState(0);
  useEffect(() => {
    const listener = () => redraw((count) => count + 1);
    connection.listeners.add(listener);
    return () => void connection.listeners.delete(listener);
  }, []);
  return connection;
}

/** `value`, `ms` after its last change. @template T @param {T} value @param {number} ms @returns {T} */
export function useSettled(value, ms) {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}
