/** A film along the slots, with every frame at hand. */

import { Chips, NumberField, Variety } from "../components/controls.js";
import { NeedsSlots } from "../components/empty.js";
import { Icon } from "../components/icons.js";
import { JobStatus, useMade } from "../components/job.js";
import { Player } from "../components/player.js";
import { TakeHome } from "../components/takehome.js";
import { letter, useActs } from "../components/tile.js";
import { Frames, placeOf } from "../film.js";
import { Link, usePage } from "../page.js";
import { latentOf } from "../pictures.js";
import { blend, formatPoints } from "../point.js";
import { filmRequest } from "../requests.js";
import { html, useEffect } from "../vendor/preact-htm.js";

/** @type {[string, string][]} */
const FORMATS = [
  ["gif", "GIF"],
  ["webp", "WebP"],
  ["mp4", "MP4"],
  ["png", "Film strip"],
  ["zip", "ZIP of PNG"],
  ["fits", "FITS cube"],
];
const PREVIEW = 192;

export function Film() {
  const { state } = usePage();
  return html`<div class="view">
    <div class="view-head"><h1>Film</h1><p class="lead">A walk through latent space, from slot to slot. Every frame on the
      way is a galaxy of its own.</p></div>
    ${state.slots.length < 2 ? html`<${NeedsSlots} needed=${2}>A film goes from one galaxy to another, so it needs two or
      more slots.<//>` : html`<${FilmOfSlots} />`}
  </div>`;
}

function FilmOfSlots() {
  const { state, setting, card, go } = usePage();
  const { slots, frames: count, curve, loop, fps } = state;
  const space = card?.num_ws ? state.space : "";
  const request = (/** @type {AbortSignal} */ signal) =>
    filmRequest(setting, slots, { frames: count, curve, space, loop, fps }, (point) => latentOf(setting, point, signal));
  const size = Math.max(PREVIEW, Math.min(256, card?.resolution ?? 0));
  const key = [setting.model, setting.psi, formatPoints(slots), count, curve, space, loop].join(" ");
  const preview = async (/** @type {AbortSignal} */ signal) => {
    const { operation, body } = await request(signal);
    return { operation, body: { ...body, format: "zip", size } };
  };
  const film = useMade(card ? `${key} ${size}` : "", preview, Frames.of);
  useEffect(() => () => film.value?.close(), [film.value]);
  const describe = (/** @type {number} */ frame) => inWords(placeOf(frame, count, slots.length, loop), frame, count);
  return html`<div class="film">
    <div class="stack film-side">
      <${Player} frames=${film.value} index=${state.frame} fps=${fps} stops=${slots.length} loop=${loop} size=${size}
        describe=${describe} onIndex=${(frame) => go({ frame }, { replace: true })} />
      <${JobStatus} status=${film.status} cancel=${film.cancel} what="The film" retry=${film.make} />
    </div>
    <div class="stack film-side">
      <${FrameActs} />
      <div class="panel">
        <div class="row">
          <${NumberField} label="Frames" value=${count} min=${2} max=${600}
            onChange=${(value) => go({ frames: Math.round(value), frame: 0 })} />
          <${NumberField} label="Frames a second" value=${fps} min=${1} max=${50}
            onChange=${(value) => go({ fps: Math.round(value) })} />
        </div>
        <${Chips} label="Way" hideLabel=${false} name="curve" value=${curve} options=${[
          ["linear", "straight"],
          ["spherical", "spherical"],
        ]} onChange=${(value) => go({ curve: value })} />
        ${
          card?.num_ws
            ? html`<${Chips} label="Space" hideLabel=${false} name="space" value=${space || "w"} options=${[
                ["w", "w"],
                ["z", "z"],
              ]} onChange=${(value) => go({ space: value === "w" ? "" : value })} />`
            : null
        }
        <label class="check"><input type="checkbox" checked=${loop}
          onChange=${(event) => go({ loop: event.target.checked })} /> Return to the start, without a jump</label>
        <${Variety} />
      </div>
      <${TakeHome} formats=${FORMATS} request=${request} name=${`${setting.model.replace("@", "-")}-film`} remake=${[key, fps]} />
    </div>
  </div>`;
}

/** What can be done with the frame that is shown: where the way is straight in w, it is a point that the page can name. */
function FrameActs() {
  const { state, card, setting } = usePage();
  const { slots, frames, frame, loop, curve, space } = state;
  const { from, to, t } = placeOf(Math.min(frame, frames - 1), frames, slots.length, loop);
  const point = blend(slots[from], slots[to], Number(t.toFixed(4)));
  const { add } = useActs(point, setting);
  const nameable = curve === "linear" && !(card?.num_ws && space === "z");
  if (!nameable)
    return html`<p class="small-print">To take a single frame, choose the straight way${card?.num_ws ? " in w" : ""}.</p>`;
  return html`<div class="row"><${Link} class="button" to=${{ view: "galaxy", at: point }}>Open this frame<//>
    <button class="button" onClick=${add}><${Icon} name="plus" /> Into the next slot</button></div>`;
}

/** @param {{from: number, to: number, t: number}} place @param {number} frame @param {number} frames */
function inWords({ from, to, t }, frame, frames) {
  const where =
    t === 0
      ? `galaxy ${letter(from)}`
      : t === 1
        ? `galaxy ${letter(to)}`
        : `${Math.round(t * 100)} % of the way from ${letter(from)} to ${letter(to)}`;
  return `Frame ${frame + 1} of ${frames}: ${where}`;
}
