/** A wait that can be cut short. A `wake` that finds nobody asleep ends the next sleep at once. */
export class Sleeper {
  #isWoken = false;
  #wake: (() => void) | undefined;

  /** Sleeps for `ms`, or until `wake` where none are given. */
  async sleep(ms?: number): Promise<void> {
    if (!this.#isWoken) {
      await new Promise<void>((resolve) => {
        const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#wake = undefined;
    this.#isWoken = false;
  }

  wake(): void {
    if (this.#wake === undefined) this.#isWoken = true;
    else this.#wake();
  }
}
