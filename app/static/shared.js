/** Work that several may ask for: done once, kept for a while, and given up when nobody waits for it any more. */

/** @template T @typedef {{value: Promise<T>, control: AbortController, waiting: number, done: boolean}} Entry */

/** @template T */
export class Shared {
  /** @param {number} kept how many results, those used last @param {(result: T) => void} [drop] told of each that is kept no longer */
  constructor(kept, drop = () => {}) {
    this.kept = kept;
    this.drop = drop;
    /** @type {Map<string, Entry<T>>} in order of use */
    this.entries = new Map();
  }

  /**
   * @param {string} key
   * @param {(signal: AbortSignal) => Promise<T>} make
   * @param {AbortSignal} [signal] of the one who asks; when all who asked have aborted theirs, the work is
   * @returns {Promise<T>}
   */
  get(key, make, signal) {
    const entry = this.entries.get(key) ?? this.begin(key, make);
    this.entries.delete(key);
    this.entries.set(key, entry);
    entry.waiting += 1;
    signal?.addEventListener("abort", () => {
      entry.waiting -= 1;
      if (entry.waiting > 0 || entry.done) return;
      this.remove(key, entry);
      entry.control.abort();
    });
    for (const [oldest, old] of this.entries) {
      if (this.entries.size <= this.kept) break;
      this.entries.delete(oldest);
      old.value.then(this.drop, () => {});
    }
    return entry.value;
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
