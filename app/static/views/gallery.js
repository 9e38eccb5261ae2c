/** Galaxies of consecutive seeds, by class and variety. */

import { Chips, NumberField, Variety } from "../components/controls.js";
import { Grid, useTurning } from "../components/grid.js";
import { Icon } from "../components/icons.js";
import { Tile } from "../components/tile.js";
import { Link, usePage } from "../page.js";
import { MAX_SEED, anySeed, classLabel, classMeaning, seedPoint } from "../point.js";
import { html } from "../vendor/preact-htm.js";

export function Gallery() {
  const { state, go } = usePage();
  const seeds = Array.from({ length: state.count }, (_, i) => state.seed + i).filter((seed) => seed <= MAX_SEED);
  const paged = useTurning(state.seed);
  return html`<div class="view">
    <div class="view-head">
      <h1>Galaxies that do not exist</h1>
      <p class="lead">Each is made from its number by a network that has learned from real ones. Open one, or collect some
        with <b>+</b> to make films, mixes and sums.</p>
    </div>
    <div class="toolbar">
      <${ClassChoice} />
      <${Variety} />
      <${SeedRange} />
    </div>
    <${Grid} label="Galaxies">${seeds.map((seed) => html`<${Tile} key=${`${seed} ${state.class}`}
      point=${seedPoint(seed, state.class || undefined)} />`)}<//>
    <nav class="pager" aria-label="Seeds" onClick=${paged}>
      <${Link} class="button" to=${{ seed: Math.max(0, state.seed - state.count) }} aria-disabled=${state.seed === 0}>
        <${Icon} name="left" /> Earlier<//>
      <span role="status">Seeds ${state.seed} to ${seeds.at(-1)}</span>
      <${Link} class="button" to=${{ seed: Math.min(MAX_SEED, state.seed + state.count) }}>More <${Icon} name="right" /><//>
      <button class="button quiet" onClick=${() => go({ seed: anySeed() })}><${Icon} name="dice" /> Anywhere</button>
    </nav>
  </div>`;
}

function ClassChoice() {
  const { state, card, go } = usePage();
  if (card && card.classes.length === 0) return html`<p class="toolbar-note">This model was trained without classes.</p>`;
  const classes = card?.classes ?? [];
  const options = classes.map((/** @type {any} */ { name }) => [name, classLabel(name), classMeaning(name)]);
  return html`<${Chips} label="Class" name="class" value=${state.class} options=${[["", "All"], ...options]}
    onChange=${(name) => go({ class: name })} />`;
}

function SeedRange() {
  const { state, go } = usePage();
  return html`<div class="row">
    <${NumberField} label="From seed" value=${state.seed} min=${0} max=${MAX_SEED}
      onChange=${(seed) => go({ seed: Math.round(seed) })} />
    <label class="field"><span>Show</span>
      <select value=${String(state.count)} onChange=${(event) => go({ count: Number(event.target.value) })}>
        ${[...new Set([12, 24, 48, 96, state.count])].sort((a,
          b) => a - b).map((count) => html`<option key=${count} value=${count}>${count}</option>`)}
      </select>
    </label>
  </div>`;
}
