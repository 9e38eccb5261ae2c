/** A job with its progress, its cancel button and its error. */

import { connection, inWords, isAbort } from "../api.js";
import { run } from "../jobs.js";
import { useConnection } from "../page.js";
import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";

/**
 * @typedef {{running: boolean, job: import("../jobs.js").Job | null, error: string, done: boolean}} JobState
 * @typedef {import("../requests.js").Request} Request
 */

/** @type {JobState} */
const IDLE = { running: false, job: null, error: "", done: false };

/**
 * @returns {{status: JobState, start: (request: Promise<Request>) => Promise<Blob | null>, cancel: () => void}} start gives null where it was cancelled or failed
 */
export function useJob() {
  const [status, setStatus] = useState(IDLE);
  const control = useRef(/** @type {AbortController | null} */ (null));
  useEffect(() => () => control.current?.abort(), []);
  const start = async (/** @type {Promise<Request>} */ request) => {
    control.current?.abort();
    const mine = (control.current = new AbortController());
    const show = (/** @type {Partial<JobState>} */ change) =>
      mine === control.current && setStatus((before) => ({ ...before, ...change }));
    show({ ...IDLE, running: true });
    try {
      const { operation, body } = await request;
      const blob = await run(operation, body, (job) => show({ job }), mine.signal);
      show({ ...IDLE, done: true });
      return mine === control.current ? blob : null;
    } catch (error) {
      show({ ...IDLE, error: isAbort(error) ? "Cancelled." : inWords(error) });
      return null;
    }
  };
  return { status, start, cancel: () => control.current?.abort() };
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
