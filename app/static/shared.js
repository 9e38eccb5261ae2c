/** Work that several may ask for: done once, kept for a while, and given up when nobody waits for it any more. */

/** @template T @typedef {{value: Promise<T>, control: AbortController, waiting: number, done: boolean}} Entry */

/** @template T */
export class Shared {
  /**
   * @param {number} kept how many results, those used last; more only while they are in use
   * @param {(result: T) => void} [drop] told of each that is kept no longer; it ends them, so none goes while it is in use
   */
  constructor(kept, drop) {
    this.kept = kept;
    this.drop = drop;
    /** @type {Map<string, Entry<T>>} in order of use */
    this.entries = new Map();
  }

  /**
   * @param {string} key
   * @param {(signal: AbortSignal) => Promise<T>} make
   * @param {AbortSignal} signal of the one who asks, aborted when the result is of no use any more; when all who asked have aborted
   *   theirs before it is there, the work is
   * @returns {Promise<T>}
   */
  get(key, make, signal) {
    if (signal.aborted) return Promise.reject(signal.reason);
    const entry = this.entries.get(key) ?? this.begin(key, make);
    this.entries.delete(key);
    this.entries.set(key, entry);
    entry.waiting += 1;
    const leave = () => {
      entry.waiting -= 1;
      if (entry.waiting === 0 && !entry.done) {
        this.remove(key, entry);
        entry.control.abort();
      }
      this.trim();
    };
    signal.addEventListener("abort", leave, { once: true });
    this.trim();
    return entry.value;
  }

  /** Let go of the oldest results that are too many. */
  trim() {
    for (const [key, entry] of this.entries) {
      if (this.entries.size <= this.kept) return;
      if (entry.waiting > 0 && (this.drop || !entry.done)) continue;
      this.entries.delete(key);
      entry.value.then(this.drop, () => {});
    }
  }

  /** @param {string} key @param {(signal: AbortSignal) => Promise<T>} make @returns {Entry<T>} */
  begin(key, make) {
    const control = new AbortController();
    const entry = { value: make(control.signal), control, waiting: 0, done: false };
    entry.value.then(
      () => void (entry.done = true),
      () => this.remove(key, entry),
    );
    return entry;
  }

  /** @param {string} key @param {Entry<T>} entry */
  remove(key, entry) {
    if (this.entries.get(key) === entry) this.entries.delete(key);
  }
}
