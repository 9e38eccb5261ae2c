/** The shell: header, the view that the address names, the tray of slots, and what stands above all of them. */

import { follow, leftOut, read, write } from "./address.js";
import { askJson, connection } from "./api.js";
import { Banner } from "./components/banner.js";
import { Header } from "./components/header.js";
import { Help } from "./components/help.js";
import { KeyDialog, NeedsKey } from "./components/key.js";
import { NoSuchClass, NoSuchGalaxy, NoSuchModel, NoSuchView } from "./components/lost.js";
import { Tray } from "./components/tray.js";
import * as entries from "./entries.js";
import { useArrival, useKeptFocus } from "./focus.js";
import { formatPoint, moreLike, nameOf } from "./point.js";
import { Page, referenceOf, useConnection, useLoaded } from "./page.js";
import { Favourites } from "./views/favourites.js";
import { Film } from "./views/film.js";
import { Gallery } from "./views/gallery.js";
import { Galaxy } from "./views/galaxy.js";
import { Mix } from "./views/mix.js";
import { Models } from "./views/models.js";
import { Similar } from "./views/similar.js";
import { Sum } from "./views/sum.js";
import { html, useEffect, useRef, useState } from "./vendor/preact-htm.js";

/** @typedef {import("./point.js").Point} Point */
/** @typedef {{title: string, show: any, ofOne?: (point: Point) => string}} View ofOne: its name, where it shows the galaxy of the address */

/** A new view is one file and one line. @type {Record<string, View>} */
const VIEWS = {
  gallery: { title: "Gallery", show: Gallery },
  similar: { title: "More like this", show: Similar, ofOne: moreLike },
  galaxy: { title: "Galaxy", show: Galaxy, ofOne: nameOf },
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
const SAID_MS = 2000;
const READ_MS = 60;
/** How soon and how late it is asked whether the service is back; soon again after it was there that long. */
const [SOON_MS, LATE_MS, CALM_MS] = [1000, 10_000, 30_000];

/** The whole page. */
export function App() {
  const { state, arrival, go } = useAddress();
  const [said, say] = useVoice();
  const [helping, setHelping] = useState(false);
  const key = useKeyDialog();
  const { list, model, card, failed, retry } = useModel(state.model);
  useEffect(() => void (model && model !== state.model && go({ model }, { replace: true })), [model, state.model]);
  useRecovery();
  useWordOnLeftOut(say);
  useKeptFocus();
  useWordOnSlots(model, state.slots.length, say);
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
  const { title, show: Content, ofOne } = key.needed ? INSTEAD.key : contentOf(state, list, model, card);
  const name = ofOne ? ofOne(/** @type {Point} */ (state.at)) : title;
  const spot = Array.isArray(state.at) ? `${state.view} ${formatPoint(state.at)}` : state.view;
  const { main, announced } = useArrival(arrival, spot, name, Content !== INSTEAD.nothing.show);
  useEffect(() => void (document.title = `${name} · galsynth`), [name]);
  return html`<${Page.Provider} value=${value}>
    <a class="skip" href="#main" onClick=${(event) => {
      event.preventDefault();
      main.current.focus();
    }}>Skip to the galaxies</a>
    <${Header} onHelp=${() => setHelping(true)} />
    <${Banner} failed=${failed} retry=${retry} />
    <main id="main" ref=${main} tabindex="-1" aria-label=${name}><${Content} key=${state.view} /></main>
    <${Tray} />
    <${Help} open=${helping} close=${() => setHelping(false)} />
    <${KeyDialog} open=${key.open} close=${key.close} />
    <div class=${said ? "toast shown" : "toast"} role="status">${said}</div>
    <div class="unseen" role="status">${announced}</div>
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
  const models = useLoaded((signal) => askJson("/v1/models", signal), []);
  useEffect(() => void (models.value && models.retry?.()), [recoveries]); // another service may be back
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

/** @returns {{state: import("./address.js").State, arrival: import("./focus.js").Arrival, go: import("./page.js").PageValue["go"]}} */
function useAddress() {
  const [now, setNow] = useState(() => ({ state: read(location.search), arrival: { place: entries.placeHere() } }));
  const latest = useRef(now);
  latest.current = now;
  const set = (/** @type {typeof now} */ next) => setNow((latest.current = next));
  const moved = () => set({ state: read(location.search), arrival: { moved: true, place: entries.placeHere() } });
  useEffect(() => entries.onMove(moved), []);
  const go = (patch, { replace = false, stay = false } = {}) => {
    const address = write(follow(latest.current.state, patch));
    entries[replace ? "replace" : "push"](address);
    set({ state: read(address.slice(1)), arrival: replace ? latest.current.arrival : { stay } }); // as a reload would find it
  };
  return { ...now, go };
}

/** @returns {[string, (text: string) => void]} */
function useVoice() {
  const [said, setSaid] = useState("");
  const timer = useRef(0);
  const say = (/** @type {string} */ text) => {
    clearTimeout(timer.current);
    setSaid(text);
    timer.current = setTimeout(() => setSaid(""), SAID_MS + READ_MS * text.length);
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

/**
 * Slots are galaxies of the page's model: with another one they are other galaxies.
 * @param {string | null} model @param {number} slots how many @param {(text: string) => void} say
 */
function useWordOnSlots(model, slots, say) {
  const before = useRef({ model, slots });
  useEffect(() => {
    const { model: last, slots: had } = before.current;
    before.current = { model, slots };
    if (last && model && last !== model && had) say(`The galaxies in the slots are those of ${model} now`);
  }, [model, slots]);
}

/** While the service is away: ask whether it is back, ever less often; also where it goes away again at once. */
function useRecovery() {
  const { state } = useConnection();
  const pace = useRef({ wait: SOON_MS, back: 0 });
  useEffect(() => {
    const { current } = pace;
    if (state !== "offline") return void (current.back = Date.now());
    if (Date.now() - current.back > CALM_MS) current.wait = SOON_MS;
    let timer = 0;
    const later = () => {
      timer = setTimeout(check, current.wait);
      current.wait = Math.min(LATE_MS, 1.5 * current.wait);
    };
    async function check() {
      const back = await fetch("/readyz").then(
        (answer) => answer.status < 500, // a proxy may keep it to itself: that is an answer too
        () => false,
      );
      if (back) connection.become("ok");
      else later();
    }
    later();
    return () => clearTimeout(timer);
  }, [state]);
}
