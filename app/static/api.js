/** Speaks with the service: keys, waiting and trying again, and errors in plain words. */

import { forget, keep, recall } from "./storage.js";

const KEY = "galsynth-key";
const RETRIES = 3;
const LOSSES = 3; // of one thing in a row; after that it is no outage but an answer that always breaks
const MOST_SECONDS = 86_400; // timers end early beyond 24 days; nobody waits that long

/** An answer that is an error, or none at all (`status` 0). */
export class ApiError extends Error {
  /** @param {number} status @param {string} title @param {string} detail @param {{pointer: string, detail: string}[]} [errors] */
  constructor(status, title, detail, errors = []) {
    super(detail);
    this.status = status;
    this.title = title;
    this.errors = errors;
  }
}

/** @typedef {{until: number, why: string, stop: () => void}} Wait until: in ms since 1970, when the service is asked again */

/** Whether the service answers, whether it wants a key, and what waits for it; whoever listens is told of every change. */
export const connection = {
  /** @type {"ok" | "offline" | "key"} */
  state: "ok",
  /** Grows with each recovery: what failed before tries again. */
  recoveries: 0,
  /** @type {Set<Wait>} */
  waits: new Set(),
  /** Until then nothing waits for a busy service: the reader has said so. */
  impatientUntil: 0,
  /** @type {Set<() => void>} */
  listeners: new Set(),
  /** @param {"ok" | "offline" | "key"} state */
  become(state) {
    if (this.state === state) return;
    if (state === "ok") this.recoveries += 1;
    this.state = state;
    this.tell();
  },
  tell() {
    for (const listener of this.listeners) listener();
  },
  /** Give up all that waits for the busy service. */
  stopWaiting() {
    this.impatientUntil = Math.max(...[...this.waits].map((wait) => wait.until));
    for (const wait of this.waits) wait.stop();
  },
};

/** @returns {string} the API key of this browser, or "" */
export function apiKey() {
  return recall(KEY, "tab") ?? recall(KEY) ?? "";
}

/** @param {string} key "" forgets it @param {boolean} remember beyond this tab */
export function setApiKey(key, remember) {
  forget(KEY, "tab");
  forget(KEY);
  if (key) keep(KEY, key, remember ? "browser" : "tab");
  connection.become("ok");
}

/**
 * One request; 429 and 503 are tried again when the service says so. What a proxy says of a service that is away is no answer.
 * @param {string} path @param {RequestInit & {headers?: Record<string, string>}} [options]
 * @param {{retries?: number, patience?: AbortSignal | null}} [how] patience: its abort ends the waiting between two tries
 * @returns {Promise<Response>} whose status is below 400
 */
export async function ask(path, options = {}, { retries = RETRIES, patience = options.signal } = {}) {
  for (let attempt = 0; ; attempt += 1) {
    const response = await once(path, options);
    if (response.ok) {
      // Of an outage it does not tell the end: it may come from the browser's cache, or have been on its way.
      if (connection.state === "key") connection.become("ok");
      return response;
    }
    if (isOfProxy(response)) throw lost();
    const error = await errorOf(response);
    const busy = response.status === 429 || response.status === 503;
    if (!busy || attempt >= retries || Date.now() < connection.impatientUntil) throw error;
    const seconds = Math.min(MOST_SECONDS, Number(response.headers.get("retry-after")) || 2);
    if (!(await waited(seconds, error.message, patience))) throw error;
  }
}

/**
 * A wait that the reader sees, and can end.
 * @param {number} seconds @param {string} why @param {AbortSignal | null} [signal]
 * @returns {Promise<boolean>} false where the reader has ended it
 */
function waited(seconds, why, signal) {
  return new Promise((resolve, reject) => {
    const end = (/** @type {() => void} */ how) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      connection.waits.delete(wait);
      connection.tell();
      how();
    };
    const abort = () => end(() => reject(signal?.reason));
    const wait = { until: Date.now() + 1000 * seconds, why, stop: () => end(() => resolve(false)) };
    const timer = setTimeout(() => end(() => resolve(true)), 1000 * seconds);
    connection.waits.add(wait);
    if (signal?.aborted) return abort();
    signal?.addEventListener("abort", abort);
    return connection.tell();
  });
}

/** @param {string} path @param {AbortSignal} [signal] @returns {Promise<any>} */
export async function askJson(path, signal) {
  return bodyOf(await ask(path, { headers: { accept: "application/json" }, signal }), "json");
}

/**
 * The whole body of an answer. A connection that breaks within it is an outage like one that never came about.
 * @param {Response} answer @param {"json" | "blob"} kind @returns {Promise<any>}
 */
export async function bodyOf(answer, kind) {
  try {
    return await answer[kind]();
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw lost(error);
    throw new ApiError(502, "No JSON", "What answered is not the service: it gave something else than JSON.");
  }
}

/**
 * `make`, and again after each outage that it meets, when that is over; but what is lost time after time is given up.
 * @template T
 * @param {() => Promise<T>} make
 * @param {AbortSignal} signal
 * @param {(error: unknown) => void} [told] of each loss after which it is tried again
 * @returns {Promise<T>}
 */
export async function throughOutages(make, signal, told = () => {}) {
  for (let losses = 1; ; losses += 1) {
    try {
      return await make();
    } catch (error) {
      if (!isLost(error)) throw error;
      if (losses === LOSSES) throw new ApiError(504, "Broken off", `The connection to the service broke off ${LOSSES} times over this.`);
      told(error);
      await recovered(signal);
    }
  }
}

/**
 * POST JSON. With `wait` the answer is the result itself.
 * @param {string} path @param {unknown} body
 * @param {{wait?: number, signal?: AbortSignal, patience?: AbortSignal}} [how] signal ends the request, patience the waiting for another try
 */
export function post(path, body, { wait, signal, patience = signal } = {}) {
  /** @type {Record<string, string>} */
  const headers = { "content-type": "application/json", accept: wait ? "*/*" : "application/json" };
  if (wait) headers.prefer = `wait=${wait}`;
  return ask(path, { method: "POST", headers, body: JSON.stringify(body), signal }, { patience });
}

/** What went wrong, in words for people. @param {unknown} error */
export function inWords(error) {
  if (!(error instanceof ApiError)) return error instanceof Error ? error.message : String(error);
  if (isLost(error)) return "The service does not answer. It may be restarting.";
  if (error.status === 401) return "This service asks for an API key.";
  if (error.status === 429) return "That was more than your key allows for the moment. Wait a little and try again.";
  if (error.status === 503) return `The service cannot do this now: ${error.message}`;
  if (error.status === 410) return "This result is no longer kept. Make it again.";
  return error.errors.length ? error.errors.map((one) => one.detail).join("; ") : error.message;
}

/** Whether the service has refused what was asked, so that it would refuse it again. 409: not in the state of its job. @param {unknown} error */
export function isRefusal(error) {
  return error instanceof ApiError && error.status >= 400 && error.status < 500 && ![401, 408, 409, 410, 429].includes(error.status);
}

/** Whether it may go well with another key, or when a service that was away is back. @param {unknown} error */
export function isPassing(error) {
  return error instanceof ApiError && [401, 429, 503].includes(error.status);
}

/** Whether the service did not answer. @param {unknown} error */
export function isLost(error) {
  return error instanceof ApiError && error.status === 0;
}

/** @param {unknown} error */
export function isAbort(error) {
  return error instanceof DOMException && error.name === "AbortError";
}

/** @param {string} path @param {RequestInit & {headers?: Record<string, string>}} options */
async function once(path, options) {
  const key = apiKey();
  const headers = key ? { ...options.headers, authorization: `Bearer ${key}` } : options.headers;
  try {
    const response = await fetch(path, { ...options, headers });
    // A refusal of a key that has been changed meanwhile says nothing about the new one.
    if (response.status === 401 && key === apiKey()) connection.become("key");
    return response;
  } catch (error) {
    throw lost(error);
  }
}

/** Whether a proxy speaks here for a service that it does not reach: the service itself sends problem documents. @param {Response} response */
function isOfProxy({ status, headers }) {
  return [502, 503, 504].includes(status) && !headers.get("content-type")?.startsWith("application/problem+json");
}

/** What a request that came to nothing failed with: it was given up, or the service is away. @param {unknown} [error] */
function lost(error) {
  if (isAbort(error)) return error;
  connection.become("offline");
  return new ApiError(0, "No answer", "the service does not answer");
}

/** @param {AbortSignal} signal @returns {Promise<void>} resolved when the service is not away, rejected by the signal */
function recovered(signal) {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (connection.state === "offline" && !signal.aborted) return;
      connection.listeners.delete(look);
      signal.removeEventListener("abort", look);
      if (signal.aborted) reject(signal.reason);
      else resolve();
    };
    connection.listeners.add(look);
    signal.addEventListener("abort", look);
    look();
  });
}

/** @param {Response} response */
async function errorOf(response) {
  try {
    const problem = await response.json();
    return new ApiError(response.status, problem.title, problem.detail, problem.errors);
  } catch {
    return new ApiError(response.status, response.statusText, `the service answered ${response.status}`);
  }
}
