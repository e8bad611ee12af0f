/** Which experiment each of the command's processes has chosen in its code (`set_experiment`), as far as its calls tell. */
export class ChosenExperiments {
  readonly #originalId: string | undefined;
  readonly #byProcess = new Map<number, string>();

  /** `originalId`: where the run began, whose name and id every process is given; nothing is chosen by looking at that. */
  constructor(originalId: string | undefined) {
    this.#originalId = originalId;
  }

  get isEmpty(): boolean {
    return this.#byProcess.size === 0;
  }

  /** MLflow's `set_experiment` looks an experiment up, or makes it. */
  lookedUp(pid: number | undefined, experimentId: string): void {
    if (pid === undefined) return;
    if (experimentId === this.#originalId) this.#byProcess.delete(pid);
    else this.#byProcess.set(pid, experimentId);
  }

  /** Who searches in an experiment has looked it up for that. */
  searched(pid: number | undefined, experimentIds: readonly string[]): void {
    if (pid === undefined) return;
    const chosen = this.#byProcess.get(pid);
    if (chosen !== undefined && experimentIds.includes(chosen)) this.#byProcess.delete(pid);
  }

  of(pid: number | undefined): string | undefined {
    return pid === undefined ? undefined : this.#byProcess.get(pid);
  }
}
