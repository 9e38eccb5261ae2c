/** Sliders, choices and the variety control, each with a label that a screen reader reads. */

import { usePage } from "../page.js";
import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";

const LIVE_MS = 120;

/**
 * A slider that reports while it moves, but not more often than `LIVE_MS`.
 * @param {{label: string, value: number, min: number, max: number, step: number, onChange: (value: number) => void, shown?: (value: number) => string, hint?: string, className?: string}} props
 */
export function Slider({ label, value, min, max, step, onChange, shown = String, hint, className = "" }) {
  const [moved, setMoved] = useState(/** @type {number | null} */ (null));
  const timer = useRef(0);
  useEffect(() => setMoved(null), [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const input = (event) => {
    const next = Number(event.target.value);
    setMoved(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onChange(next), LIVE_MS);
  };
  const now = moved ?? value;
  return html`<label class=${`slider ${className}`} title=${hint}>
    <span class="slider-label">${label} <b>${shown(now)}</b></span>
    <input type="range" min=${min} max=${max} step=${step} value=${now} aria-valuetext=${shown(now)} onInput=${input} />
  </label>`;
}

/**
 * One of a few, as chips. Radio buttons underneath.
 * @param {{label: string, name: string, value: string, options: [string, string, string?][], onChange: (value: string) => void, hideLabel?: boolean}} props
 *   options: key, title, and what the title does not say
 */
export function Chips({ label, name, value, options, onChange, hideLabel = true }) {
  return html`<fieldset class="chips"><legend class=${hideLabel ? "unseen" : ""}>${label}</legend>
    ${options.map(
      ([key, title, hint]) =>
        html`<label class="chip" key=${key} title=${hint}><input type="radio" name=${name} value=${key} checked=${key === value}
          onChange=${() => onChange(key)} /><span>${title}</span></label>`,
    )}
  </fieldset>`;
}

/** Truncation ψ, for whichever model is in use. */
export function Variety() {
  const { state, go, card } = usePage();
  const value = state.psi ?? card?.truncation ?? 0.7;
  return html`<${Slider} label="Variety ψ" value=${value} min="0" max="1.5" step="0.05" shown=${(psi) => psi.toFixed(2)}
    hint="Truncation: 0 is the mean galaxy, 1 everything that the network knows"
      onChange=${(psi) => go({ psi: psi === card?.truncation ? null : psi }, { replace: true })} />`;
}

/** @param {{label: string, value: number, min: number, max: number, onChange: (value: number) => void}} props */
export function NumberField({ label, ...rest }) {
  return html`<label class="field"><span>${label}</span><${NumberInput} inputmode="numeric" step="1" ...${rest} /></label>`;
}

/**
 * A number that is typed, and counts when the typing is over. What is half typed outlives a redrawing of the page.
 * @param {{value: number, min: number, max: number, onChange: (value: number) => void}} props and others of the input
 */
export function NumberInput({ value, min, max, onChange, ...rest }) {
  const [typed, setTyped] = useState(/** @type {string | null} */ (null));
  const change = (event) => {
    const given = Number(event.target.value);
    if (event.target.value !== "" && Number.isFinite(given)) onChange(Math.min(max, Math.max(min, given)));
    setTyped(null);
  };
  return html`<input type="number" min=${min} max=${max} value=${typed ?? value} onChange=${change}
    onInput=${(event) => setTyped(event.target.value)} ...${rest} />`;
}
