/** Who comes when: a few tasks at a time, those asked for last before those asked for earlier. */

const AT_ONCE = 6;

/** @type {{batch: number, go: () => void}[]} */
const waiting = [];
let running = 0;
let batch = 0;
let open = false;

/**
 * At most `AT_ONCE` tasks run. What is asked for at one time (a view that is drawn) is one batch: the newest batch goes first,
 * and within a batch the order is kept.
 * @template T
 * @param {() => Promise<T>} task
 * @param {AbortSignal} signal aborting it gives up the place in the queue; a task that runs has to listen itself
 * @returns {Promise<T>}
 */
export async function inTurn(task, signal) {
  if (running < AT_ONCE) running += 1;
  else await turn(signal); // whoever is done hands over its place, so `running` stays
  try {
    return await task();
  } finally {
    const next = waiting.findIndex((one) => one.batch === waiting.at(-1)?.batch);
    if (next < 0) running -= 1;
    else waiting.splice(next, 1)[0].go();
  }
}

/** @param {AbortSignal} signal @returns {Promise<void>} */
function turn(signal) {
  return new Promise((resolve, reject) => {
    const place = { batch: batchNow(), go: resolve };
    waiting.push(place);
    signal.addEventListener("abort", () => {
      if (!waiting.includes(place)) return;
      waiting.splice(waiting.indexOf(place), 1);
      reject(signal.reason);
    });
  });
}

/** The number of the batch that is being asked for: it ends with the browser's present task. */
function batchNow() {
  if (!open) {
    open = true;
    batch += 1;
    setTimeout(() => (open = false));
  }
  return batch;
}
