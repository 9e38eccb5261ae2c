/** The shell: header, the view that the address names, the tray of slots, and what stands above all of them. */

import { follow, leftOut, read, write } from "./address.js";
import { askJson, connection } from "./api.js";
import { Banner } from "./components/banner.js";
import { Header } from "./components/header.js";
import { Help } from "./components/help.js";
import { KeyDialog, NeedsKey } from "./components/key.js";
import { NoSuchClass, NoSuchGalaxy, NoSuchModel, NoSuchView } from "./components/lost.js";
import { Tray } from "./components/tray.js";
import { nameOf } from "./point.js";
import { Page, useConnection, useLoaded } from "./page.js";
import { Favourites } from "./views/favourites.js";
import { Film } from "./views/film.js";
import { Gallery } from "./views/gallery.js";
import { Galaxy } from "./views/galaxy.js";
import { Mix } from "./views/mix.js";
import { Models } from "./views/models.js";
import { Similar } from "./views/similar.js";
import { Sum } from "./views/sum.js";
import { html, useEffect, useRef, useState } from "./vendor/preact-htm.js";

/** @typedef {{title: string, show: any, ofOne?: boolean}} View ofOne: it shows the galaxy that the address names */

/** A new view is one file and one line. @type {Record<string, View>} */
const VIEWS = {
  gallery: { title: "Gallery", show: Gallery },
  similar: { title: "More like this", show: Similar, ofOne: true },
  galaxy: { title: "Galaxy", show: Galaxy, ofOne: true },
  film: { title: "Film", show: Film },
  mix: { title: "Mix", show: Mix },
  sum: { title: "Sum", show: Sum },
  favourites: { title: "Favourites", show: Favourites },
  models: { title: "Models", show: Models },
};
/** What stands in place of a view. @type {Record<string, View>} */
const INSTEAD = {
  nothing: { title: "", show: () => null },
  key: { title: "A key is needed", show: NeedsKey },
  view: { title: "No such view", show: NoSuchView },
  model: { title: "No such model", show: NoSuchModel },
  galaxy: { title: "No such galaxy", show: NoSuchGalaxy },
  class: { title: "No such class", show: NoSuchClass },
};
const SAID_MS = 4000;

/** The whole page. */
export function App() {
  const [state, go] = useAddress();
  const [said, say] = useVoice();
  const [helping, setHelping] = useState(false);
  const key = useKeyDialog();
  const { list, model, card, failed, retry } = useModel(state.model);
  useEffect(() => void (model && model !== state.model && go({ model }, { replace: true })), [model, state.model]);
  useRecovery();
  useWordOnLeftOut(say);
  const main = useFocusOnNewView(state);
  const value = {
    state,
    go,
    href: (patch) => write(follow(state, patch)),
    models: list ?? [],
    card,
    setting: { model: model ?? "", psi: state.psi },
    say,
    askForKey: key.ask,
  };
  const { title, show: Content } = key.needed ? INSTEAD.key : contentOf(state, list, model, card);
  const name = Content === Galaxy ? nameOf(/** @type {import("./point.js").Point} */ (state.at)) : title;
  useEffect(() => void (document.title = `${name} · galsynth`), [name]);
  return html`<${Page.Provider} value=${value}>
    <a class="skip" href="#main" onClick=${(event) => {
      event.preventDefault();
      main.current.focus();
    }}>Skip to the galaxies</a>
    <${Header} onHelp=${() => setHelping(true)} />
    <${Banner} failed=${failed} retry=${retry} />
    <main id="main" ref=${main} tabindex="-1" aria-label=${title}><${Content} key=${state.view} /></main>
    <${Tray} />
    <${Help} open=${helping} close=${() => setHelping(false)} />
    <${KeyDialog} open=${key.open} close=${key.close} />
    <div class=${said ? "toast shown" : "toast"} role="status">${said}</div>
  <//>`;
}

/**
 * The view that the address names, or what to say in its place.
 * @param {import("./address.js").State} state
 * @param {any[] | null} list of models, null while it is not known
 * @param {string | null} model
 * @param {any} card of the model, null while it is not known
 * @returns {View}
 */
function contentOf(state, list, model, card) {
  if (!Object.hasOwn(VIEWS, state.view)) return INSTEAD.view;
  if (!list) return INSTEAD.nothing;
  if (!model) return INSTEAD.model;
  const view = VIEWS[state.view];
  if (view.ofOne && !Array.isArray(state.at)) return INSTEAD.galaxy;
  if (view.show !== Gallery || !state.class) return view;
  if (!card) return INSTEAD.nothing;
  return card.classes.some((/** @type {any} */ one) => one.name === state.class) ? view : INSTEAD.class;
}

/**
 * The service's models, the one that is meant, and its card. Nothing is asked of a model that is not among them.
 * @param {string} wanted `name@version`, `name` (its newest version) or "" (the service's default)
 */
function useModel(wanted) {
  const { recoveries } = useConnection();
  const models = useLoaded((signal) => askJson("/v1/models", signal), [recoveries]);
  const last = useRef(/** @type {any} */ (null));
  last.current = models.value ?? last.current;
  /** @type {any[] | null} */
  const list = last.current?.models ?? null;
  const meant = wanted || last.current?.default;
  const found = list?.find((one) => one.name === meant || referenceOf(one) === meant) ?? (wanted ? undefined : list?.[0]);
  const model = found ? referenceOf(found) : null;
  const card = useLoaded((signal) => (model ? askJson(`/v1/models/${model}`, signal) : Promise.resolve(null)), [model]);
  return {
    list,
    model,
    card: card.value && referenceOf(card.value) === model ? card.value : null,
    failed: models.error || card.error,
    retry: models.error ? models.retry : card.retry,
  };
}

/** The dialogue that asks for a key opens when the service wants one; closed, it opens again when asked for. */
function useKeyDialog() {
  const needed = useConnection().state === "key";
  const [closed, setClosed] = useState(false);
  useEffect(() => setClosed(false), [needed]);
  return { needed, open: needed && !closed, close: () => setClosed(true), ask: () => setClosed(false) };
}

/** @returns {[import("./address.js").State, import("./page.js").PageValue["go"]]} */
function useAddress() {
  const [state, setState] = useState(() => read(location.search));
  const latest = useRef(state);
  latest.current = state;
  useEffect(() => {
    const listener = () => setState((latest.current = read(location.search)));
    addEventListener("popstate", listener);
    return () => removeEventListener("popstate", listener);
  }, []);
  const go = (patch, { replace = false } = {}) => {
    const address = write(follow(latest.current, patch));
    const next = read(address.slice(1)); // as a reload would find it
    if (address !== location.pathname + location.search) history[replace ? "replaceState" : "pushState"](null, "", address);
    setState((latest.current = next));
  };
  return [state, go];
}

/** @returns {[string, (text: string) => void]} */
function useVoice() {
  const [said, setSaid] = useState("");
  const timer = useRef(0);
  const say = (/** @type {string} */ text) => {
    clearTimeout(timer.current);
    setSaid(text);
    timer.current = setTimeout(() => setSaid(""), SAID_MS);
  };
  return [said, say];
}

/** What an address lists and names no galaxy is gone from the page and from its address: say so. @param {(text: string) => void} say */
function useWordOnLeftOut(say) {
  const [lost] = useState(() => leftOut(location.search));
  const named = lost.map((one) => `“${one.slice(0, 40)}”`).join(", ");
  useEffect(() => {
    if (lost.length) say(`${named} ${lost.length > 1 ? "name no galaxies and are" : "names no galaxy and is"} left out`);
  }, []);
}

/** While the service is away: ask whether it is back, ever less often. */
function useRecovery() {
  const { state } = useConnection();
  useEffect(() => {
    if (state !== "offline") return undefined;
    let wait = 1000;
    let timer = setTimeout(check, wait);
    async function check() {
      const back = await fetch("/readyz").then(
        (answer) => answer.ok,
        () => false,
      );
      if (back) return connection.become("ok");
      wait = Math.min(10_000, wait * 1.5);
      timer = setTimeout(check, wait);
      return undefined;
    }
    return () => clearTimeout(timer);
  }, [state]);
}

/** Another view begins at its top, and keyboard and screen reader begin there too. @param {import("./address.js").State} state */
function useFocusOnNewView(state) {
  const main = useRef(/** @type {any} */ (null));
  const before = useRef(state.view);
  useEffect(() => {
    if (before.current === state.view) return;
    before.current = state.view;
    scrollTo(0, 0);
    main.current.focus({ preventScroll: true });
  }, [state.view]);
  return main;
}

/** @param {{name: string, version: string}} model */
function referenceOf({ name, version }) {
  return `${name}@${version}`;
}
