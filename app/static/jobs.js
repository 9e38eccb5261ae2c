/** Jobs of the service: start, follow (server-sent events where there are any, else asking again), fetch; or delete. */

import { ApiError, ask, askJson, bodyOf, post, throughOutages } from "./api.js";

/**
 * @typedef {{id: string, phase: string, progress: {done: number, total: number}, queue_position: number | null, eta_seconds: number | null,
 *   result: {href: string, media_type: string, bytes: number} | null, error: {status: number, title: string, detail: string} | null,
 *   links: {self: string, result: string, events: string | null, cancel: string}}} Job
 */

const ENDED = new Set(["COMPLETED", "ERROR", "ABORTED"]);
const POLL_MS = 250;
const SILENT_MS = 45_000; // three heartbeats of the service

/**
 * Start a job and see it through.
 * @param {string} operation @param {object} body @param {(job: Job) => void} onProgress
 * @param {AbortSignal} signal aborting it deletes the job at the service as well, as soon as its id is known
 * @returns {Promise<Blob>} the result
 */
export function run(operation, body, onProgress, signal) {
  signal.throwIfAborted();
  // Not ended by the signal: the service may have begun, and only its answer names the job that is to be deleted.
  const started = post(`/v1/${operation}`, body, { patience: signal }).then((answer) => bodyOf(answer, "json"));
  return followed(started, onProgress, signal);
}

/**
 * A small result in one request; where it takes longer than the wait, the job is followed. One whose reader leaves before is
 * finished all the same, and kept for the next who asks.
 * @param {string} operation
 * @param {object} body
 * @param {AbortSignal} signal
 * @returns {Promise<Blob>}
 */
export async function quick(operation, body, signal) {
  const answer = await post(`/v1/${operation}`, body, { wait: 30, signal });
  return answer.status === 202 ? followed(bodyOf(answer, "json"), () => {}, signal) : bodyOf(answer, "blob");
}

/** @param {Promise<Job>} started @param {(job: Job) => void} onProgress @param {AbortSignal} signal @returns {Promise<Blob>} */
async function followed(started, onProgress, signal) {
  const remove = async () => {
    const job = await started;
    await throughOutages(() => ask(job.links.self, { method: "DELETE" }), new AbortController().signal);
  };
  const forget = () => void remove().catch(() => {});
  signal.addEventListener("abort", forget);
  try {
    const job = await unlessAborted(started, signal);
    onProgress(job);
    return await finish(job, onProgress, signal);
  } finally {
    signal.removeEventListener("abort", forget);
  }
}

/** @template T @param {Promise<T>} promise @param {AbortSignal} signal @returns {Promise<T>} rejected as soon as `signal` is aborted */
export function unlessAborted(promise, signal) {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    promise.then(resolve, reject);
  });
}

/** @param {Job} job @param {(job: Job) => void} onProgress @param {AbortSignal} signal @returns {Promise<Blob>} */
async function finish(job, onProgress, signal) {
  const ended = await settled(job, onProgress, signal);
  const result = async () => bodyOf(await ask(ended.links.result, { signal }).catch(gone), "blob");
  if (ended.phase === "COMPLETED") return throughOutages(result, signal);
  if (ended.phase === "ABORTED") throw new ApiError(409, "Cancelled", "This was cancelled.");
  throw new ApiError(ended.error?.status ?? 500, ended.error?.title ?? "Failed", ended.error?.detail ?? "the job failed");
}

/** A job that somebody else has deleted can be made again. @param {unknown} error @returns {never} */
function gone(error) {
  throw error instanceof ApiError && error.status === 404 ? new ApiError(410, "Gone", error.message) : error;
}

/** @param {Job} job @param {(job: Job) => void} onProgress @param {AbortSignal} signal @returns {Promise<Job>} ended */
async function settled(job, onProgress, signal) {
  if (ENDED.has(job.phase)) return job;
  if (job.links.events) {
    try {
      const ended = await listen(job.links.events, job, onProgress, signal);
      if (ended) return ended;
    } catch (error) {
      if (signal.aborted) throw error; // a stream that breaks or falls silent is no failure of the job: go on asking
    }
  }
  for (;;) {
    const now = await throughOutages(() => /** @type {Promise<Job>} */ (askJson(job.links.self, signal).catch(gone)), signal);
    onProgress(now);
    if (ENDED.has(now.phase)) return now;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/**
 * Follow a job by its server-sent events. Not an EventSource: that cannot send a key.
 * @param {string} address
 * @param {Job} job
 * @param {(job: Job) => void} onProgress
 * @param {AbortSignal} signal
 * @returns {Promise<Job | null>} the ended job
 */
async function listen(address, job, onProgress, signal) {
  const stream = new AbortController();
  const close = () => stream.abort();
  signal.addEventListener("abort", close);
  let silence = setTimeout(close, SILENT_MS);
  try {
    const response = await ask(address, { headers: { accept: "text/event-stream" }, signal: stream.signal }, { retries: 0 });
    let left = "";
    for await (const chunk of chunks(response.body)) {
      clearTimeout(silence);
      silence = setTimeout(close, SILENT_MS);
      const events = (left + chunk).split(/\r?\n\r?\n/);
      left = events.pop() ?? "";
      for (const [name, told] of events.map(parseEvent)) {
        if (name === "end") return told.phase ? told : null;
        if (name === "progress") job = { ...job, progress: { done: told.done, total: told.total }, eta_seconds: told.eta_seconds };
        if (name === "phase") job = { ...job, ...told };
        onProgress(job);
      }
    }
    return null;
  } finally {
    clearTimeout(silence);
    signal.removeEventListener("abort", close);
    close();
  }
}

/** @param {string} event @returns {[string, any]} name and data; a comment has neither */
function parseEvent(event) {
  const name = /^event: ?(.*)$/m.exec(event)?.[1] ?? "";
  const data = [...event.matchAll(/^data: ?(.*)$/gm)].map((line) => line[1]).join("\n");
  return [name, data ? JSON.parse(data) : null];
}

/** @param {ReadableStream | null} stream of bytes */
async function* chunks(stream) {
  if (!stream) return;
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}
