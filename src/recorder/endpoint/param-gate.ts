import type { Param } from "../../entities/param.ts";
import { truncateParamValue } from "../../entities/validation.ts";
import { StoreError } from "../../errors.ts";
import { within } from "../../util/within.ts";
import type { EndpointState } from "./endpoint-state.ts";
import type { KnownRun } from "./known-run.ts";
import { refuseChangedParams } from "./request-checks.ts";

/** A store that takes longer is not waited for: what it refuses later is told by the drain. */
const storeWaitMs = 1000;

/**
 * Params are written once, whoever writes them: those of one run are taken one after the other, checked against what was said here and, where
 * others may write to the run, against its store.
 */
export class ParamGate {
  readonly #state: EndpointState;
  readonly #last = new Map<string, Promise<void>>();

  constructor(state: EndpointState) {
    this.#state = state;
  }

  /** Of any run but the wrapper's own. Calls `write`, or rejects with MLflow's `INVALID_PARAMETER_VALUE` where a param would change. */
  pass(runId: string, params: readonly Param[], write: () => void): Promise<void> {
    const before = this.#last.get(runId) ?? Promise.resolve();
    const passed = before.then(async () => {
      await this.#check(runId, params);
      write();
    });
    const settled = passed.catch(() => {});
    this.#last.set(runId, settled);
    void settled.then(() => {
      if (this.#last.get(runId) === settled) this.#last.delete(runId);
    });
    return passed;
  }

  async #check(runId: string, params: readonly Param[]): Promise<void> {
    const { masker } = this.#state.recording;
    const said = params.map(({ key, value }) => ({
      key,
      value: truncateParamValue(masker.maskKeyValue(key, value)).value,
    }));
    const known = await this.#find(runId);
    if (known === undefined) return;
    refuseChangedParams(known, said);
    if (said.every(({ key }) => known.params.has(key)) || !this.#mayOthersWrite(known)) return;
    await this.#readStored(known);
    refuseChangedParams(known, said);
  }

  /** A run that cannot be found, for whatever reason, is the drain's to refuse. */
  async #find(runId: string): Promise<KnownRun | undefined> {
    try {
      return this.#state.runs.get(runId) ?? (await within(this.#state.find(runId), storeWaitMs));
    } catch (error) {
      if (error instanceof StoreError) return undefined;
      throw error;
    }
  }

  /** What a command's clients have created is answered for from memory; what a program has, it may share with others. */
  #mayOthersWrite({ isOurs, info }: KnownRun): boolean {
    const { header, isStoreAway, ids } = this.#state.recording;
    return (!isOurs || header.kind === "program") && !isStoreAway && ids.isOnServer(info.runId);
  }

  async #readStored(known: KnownRun): Promise<void> {
    const { access, recording } = this.#state;
    const { runId } = known.info;
    try {
      const asked = access.readSoon((store) => store.getRun(recording.ids.toStore(runId)), storeWaitMs);
      const stored = await within(asked, storeWaitMs);
      for (const { key, value } of stored?.data.params ?? []) {
        if (!known.params.has(key)) known.params.set(key, value);
      }
    } catch (error) {
      // Not there yet: nobody else knows of it.
      if (!(error instanceof StoreError)) throw error;
    }
  }
}
