// Time that a test moves. Nothing else passes: between two timers everything runs that needs no time.

/** Until nothing is left to run that waits for no timer. */
export const settle = () => new Promise((resolve) => setImmediate(resolve));

export class FakeClock {
  /** 2026-01-31T09:00:00Z */
  #now = 1_769_850_000_000;
  #last = 0;
  /** @type {Map<number, {at: number, run: () => void}>} */
  #timers = new Map();

  now = () => this.#now;

  setTimeout = (run, ms) => {
    const id = ++this.#last;
    this.#timers.set(id, { at: this.#now + Math.max(0, ms), run });
    return id;
  };

  clearTimeout = (id) => {
    this.#timers.delete(id);
  };

  /** How many timers wait. */
  get pending() {
    return this.#timers.size;
  }

  /** Time passes, with what happens in it. */
  async advance(ms) {
    const end = this.#now + ms;
    await settle();
    for (;;) {
      let next = null;
      for (const [id, { at }] of this.#timers) {
        if (at <= end && (next === null || at < this.#timers.get(next).at)) next = id;
      }
      if (next === null) break;
      const { at, run } = this.#timers.get(next);
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, at);
      run();
      await settle();
    }
    this.#now = end;
  }

  /** The machine sleeps: time goes on, and timers come late. */
  async sleep(ms) {
    this.#now += ms;
    await this.advance(0);
  }
}
