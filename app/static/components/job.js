/** A job with its progress, its cancel button and its error. */

import { connection, inWords, isAbort, isLost, throughOutages } from "../api.js";
import { run, unlessAborted } from "../jobs.js";
import { useConnection, useSettled } from "../page.js";
import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";

/**
 * @typedef {{running: boolean, job: import("../jobs.js").Job | null, error: string, done: boolean}} JobState
 * @typedef {(signal: AbortSignal) => Promise<import("../requests.js").Request>} MakeRequest
 */

/** @type {JobState} */
const IDLE = { running: false, job: null, error: "", done: false };
const SETTLED_MS = 250;

/**
 * One job at a time: starting another gives up the one before, from the making of its request to the reading of its result.
 * `start` gives null where that happened, or where it was cancelled or failed.
 * @param {string} [lost] what to say when the service is away, where nothing is to be tried again after an outage
 */
export function useJob(lost) {
  const [status, setStatus] = useState(IDLE);
  const control = useRef(/** @type {AbortController | null} */ (null));
  useEffect(() => () => control.current?.abort(), []);
  /** @template T @param {MakeRequest} request @param {(result: Blob) => T | Promise<T>} read @returns {Promise<T | null>} */
  const start = async (request, read) => {
    control.current?.abort();
    const mine = (control.current = new AbortController());
    const show = (/** @type {Partial<JobState>} */ change) =>
      mine === control.current && setStatus((before) => ({ ...before, ...change }));
    const fail = (/** @type {unknown} */ error) =>
      show({ ...IDLE, error: isAbort(error) ? "Cancelled." : (isLost(error) && lost) || inWords(error) });
    const once = async () => {
      show({ ...IDLE, running: true });
      const { operation, body } = await unlessAborted(request(mine.signal), mine.signal);
      return read(await run(operation, body, (job) => show({ job }), mine.signal));
    };
    try {
      const made = await (lost ? once() : throughOutages(once, mine.signal, fail));
      mine.signal.throwIfAborted();
      show({ ...IDLE, done: true });
      return made;
    } catch (error) {
      fail(error);
      return null;
    }
  };
  return { status, start, cancel: () => control.current?.abort() };
}

/**
 * What a job makes of the page as it is: made when `now` has stood still for a moment.
 * @template T
 * @param {string} now names all that it depends on; "" where there is nothing to make yet
 * @param {MakeRequest} request
 * @param {(result: Blob) => Promise<T>} read
 * @returns {{value: T | null, before: T | null, working: boolean, status: JobState, cancel: () => void, make: () => void}} value: what
 *   was made for `now`; before: as long as that is on its way, what was made last
 */
export function useMade(now, request, read) {
  const settled = useSettled(now, SETTLED_MS);
  const [made, setMade] = useState({ of: "", value: /** @type {T | null} */ (null) });
  const { status, start, cancel } = useJob();
  const make = async () => {
    const value = await start(request, read);
    if (value) setMade({ of: now, value });
  };
  useEffect(() => void (settled && make()), [settled]);
  const working = status.running || settled !== now;
  const value = made.of === now ? made.value : null;
  return { value, before: working ? made.value : value, working, status, cancel, make };
}

/** @param {{status: JobState, cancel: () => void, what: string, retry?: () => void}} props what: "The film" */
export function JobStatus({ status, cancel, what, retry }) {
  const { running, job, error } = status;
  useConnection();
  const { done = 0, total = 0 } = job?.progress ?? {};
  return html`<div class="job" aria-busy=${running}>
    <span class="unseen" role="status">${running ? `${what} is being made` : status.done ? `${what} is ready` : ""}</span>
    ${
      running
        ? html`<div class="job-line"><span>${inProgress(job)}</span>
          <button class="button small" onClick=${cancel}>Cancel</button></div>
          <progress value=${done} max=${total || 1} aria-label=${`Progress: ${what}`}></progress>`
        : null
    }
    ${error ? html`<div class="job-line"><span class="error" role="alert">${error}</span>${retry
      ? html`<button class="button small" onClick=${retry}>Make it</button>` : null}</div>` : null}
  </div>`;
}

/** @param {import("../jobs.js").Job | null} job */
function inProgress(job) {
  if (connection.state === "offline") return "Waiting for the service …";
  if (!job) return connection.waits.size ? "The service is busy …" : "Asking …";
  if (job.phase === "QUEUED" || job.phase === "PENDING")
    return job.queue_position && job.queue_position > 1
      ? `Waiting: number ${job.queue_position} in the queue`
      : "Waiting for its turn";
  const left = job.eta_seconds ? `, about ${Math.max(1, Math.round(job.eta_seconds))} s left` : "";
  return job.progress.done === job.progress.total && job.progress.total
    ? "Writing the file"
    : `${job.progress.done} of ${job.progress.total} galaxies${left}`;
}
