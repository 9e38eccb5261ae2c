/** The shell: header, the view that the address names, the tray of slots, and what stands above all of them. */

import { follow, read, write } from "./address.js";
import { askJson, connection } from "./api.js";
import { Banner } from "./components/banner.js";
import { Header } from "./components/header.js";
import { Help } from "./components/help.js";
import { KeyDialog } from "./components/key.js";
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

/** A new view is one file and one line. @type {Record<string, {title: string, show: any}>} */
const VIEWS = {
  gallery: { title: "Gallery", show: Gallery },
  similar: { title: "More like this", show: Similar },
  galaxy: { title: "Galaxy", show: Galaxy },
  film: { title: "Film", show: Film },
  mix: { title: "Mix", show: Mix },
  sum: { title: "Sum", show: Sum },
  favourites: { title: "Favourites", show: Favourites },
  models: { title: "Models", show: Models },
};
const SAID_MS = 4000;

/** The whole page. */
export function App() {
  const [state, go] = useAddress();
  const [said, say] = useVoice();
  const [helping, setHelping] = useState(false);
  const { recoveries } = useConnection();
  const models = useLoaded((signal) => askJson("/v1/models", signal), [recoveries]);
  const model = state.model || defaultModel(models.value);
  const card = useLoaded(
    (signal) => (model ? askJson(`/v1/models/${encodeURIComponent(model)}`, signal) : Promise.resolve(null)),
    [model],
  );
  const pinned = card.value && `${card.value.name}@${card.value.version}`;
  useEffect(() => {
    const open = !state.model || pinned?.startsWith(`${state.model}@`);
    if (pinned && open) go({ model: pinned }, { replace: true });
  }, [pinned, state.model]);
  useRecovery();
  const main = useFocusOnNewView(state);
  const value = {
    state,
    go,
    href: (patch) => write(follow(state, patch)),
    models: models.value?.models ?? [],
    card: card.value && (pinned === model || card.value.name === model) ? card.value : null,
    setting: { model: model ?? "", psi: state.psi },
    say,
  };
  const { title, show: View } = VIEWS[state.view];
  const name = state.view === "galaxy" && state.at ? nameOf(state.at) : title;
  useEffect(() => void (document.title = `${name} · galsynth`), [name]);
  return html`<${Page.Provider} value=${value}>
    <a class="skip" href="#main" onClick=${(event) => {
      event.preventDefault();
      main.current.focus();
    }}>Skip to the galaxies</a>
    <${Header} onHelp=${() => setHelping(true)} />
    <${Banner} failed=${models.error || card.error} retry=${card.error ? card.retry : models.retry} />
    <main id="main" ref=${main} tabindex="-1" aria-label=${title}>${model ? html`<${View} key=${state.view} />` : null}</main>
    <${Tray} />
    <${Help} open=${helping} close=${() => setHelping(false)} />
    <${KeyDialog} />
    <div class=${said ? "toast shown" : "toast"} role="status">${said}</div>
  <//>`;
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
    const next = follow(latest.current, patch);
    const address = write(next);
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

/** @param {any} list @returns {string | null} */
function defaultModel(list) {
  const found = list?.models.find((/** @type {any} */ one) => one.name === list.default) ?? list?.models[0];
  return found ? `${found.name}@${found.version}` : null;
}
