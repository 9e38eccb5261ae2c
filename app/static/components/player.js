/** A film to scrub through: frame by frame, or played. */

import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { Icon } from "./icons.js";
import { letter } from "./tile.js";

/**
 * @param {{frames: import("../film.js").Frames | null, index: number, fps: number, stops: number, loop: boolean, size: number, describe: (index: number) => string,
 *   onIndex: (index: number) => void}} props index: the frame that the address names
 */
export function Player({ frames, index, fps, stops, loop, size, describe, onIndex }) {
  const canvas = useRef(/** @type {any} */ (null));
  const [at, setAt] = useState(index);
  const [playing, setPlaying] = useState(false);
  const [damaged, setDamaged] = useState(false);
  const last = frames ? frames.length - 1 : 0;
  const shown = Math.min(at, last);
  useEffect(() => setAt(index), [index]);
  useEffect(() => setPlaying(false), [frames]);
  useEffect(() => draw(frames, shown, canvas, setDamaged), [frames, shown]);
  useEffect(() => {
    if (!playing) return undefined;
    const timer = setInterval(() => setAt((now) => (now >= last ? 0 : now + 1)), 1000 / fps);
    return () => clearInterval(timer);
  }, [playing, fps, last]);
  const scrub = (event) => {
    setPlaying(false);
    setAt(Number(event.target.value));
  };
  const toggle = () => {
    if (playing) onIndex(shown);
    setPlaying(!playing);
  };
  const segments = loop ? stops : stops - 1;
  const marks = Array.from({ length: segments + 1 }, (_, i) => ({ name: letter(i % stops), left: `${(i / segments) * 100}%` }));
  return html`<div class="player">
    <div class=${frames ? "well" : "well loading"}>
      ${damaged ? html`<p class="frame-damaged" role="alert">This frame's picture is damaged.</p>` : null}
      <canvas ref=${canvas} width=${size} height=${size} role="img"
        aria-label=${frames ? describe(shown) : "The film is being made"}></canvas></div>
    <div class="scrub">
      <button class="button play" onClick=${toggle} disabled=${!frames} aria-label=${playing ? "Pause" : "Play"}>
        <${Icon} name=${playing ? "pause" : "play"} filled=${!playing} /></button>
      <div class="scrub-bar">
        <input type="range" min="0" max=${last} step="1" value=${shown} disabled=${!frames} aria-label="Frame"
          aria-valuetext=${describe(shown)} onInput=${scrub} onChange=${(event) => onIndex(Number(event.target.value))} />
        <div class="marks" aria-hidden="true">${marks.map((mark,
          i) => html`<span key=${i} style=${{ left: mark.left }}>${mark.name}</span>`)}</div>
      </div>
      <output class="frame-number">${frames ? `${shown + 1} / ${last + 1}` : "–"}</output>
    </div>
  </div>`;
}

/**
 * @param {import("../film.js").Frames | null} frames @param {number} index @param {{current: HTMLCanvasElement}} canvas
 * @param {(damaged: boolean) => void} tell whether the frame can be drawn
 */
function draw(frames, index, canvas, tell) {
  if (!frames) return tell(false);
  let current = true;
  frames.frame(index).then(
    (bitmap) => {
      if (!current) return;
      canvas.current.width = bitmap.width;
      canvas.current.height = bitmap.height;
      canvas.current.getContext("2d")?.drawImage(bitmap, 0, 0);
      tell(false);
    },
    () => {
      if (!current) return;
      canvas.current.width = canvas.current.height; // empties it: another frame must not stand under this one's name
      tell(true);
    },
  );
  if (index + 1 < frames.length) frames.frame(index + 1).catch(() => {}); // told when it is shown
  return () => void (current = false);
}
