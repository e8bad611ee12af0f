export interface WatchedDrain {
  /** Of the last entry that is stored or refused. */
  readonly storedSequence: number;
  /** Entries that are neither. */
  readonly pending: number;
}

/** Small writes wait for each other up to 5 s, and a large one may take as long. */
const silentSecondsAllowed = 8;

/** Notices a server that takes nothing of what waits for it, and does not even refuse it. */
export class SilenceWatch {
  readonly #timer: NodeJS.Timeout;
  #silentSeconds = 0;

  constructor(drain: WatchedDrain) {
    let before = drain.storedSequence;
    const look = (): void => {
      const isSilent = drain.storedSequence === before && drain.pending > 0;
      this.#silentSeconds = isSilent ? this.#silentSeconds + 1 : 0;
      before = drain.storedSequence;
    };
    this.#timer = setInterval(look, 1000).unref();
  }

  get isSilent(): boolean {
    return this.#silentSeconds >= silentSecondsAllowed;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
