import type { Run, RunData } from "../entities/run.ts";
import { mlflowTags } from "../entities/tag-keys.ts";
import { invalidParameter, StoreError } from "../errors.ts";
import { maskMark } from "../wire/mask-mark.ts";
import { samplingRequestJson } from "../wire/sampling-request.ts";
import { report } from "./report.ts";
import { say, type Session } from "./session.ts";
import type { Table } from "./table.ts";

/** An entry of the tag `mlflow.loggedArtifacts`. */
interface LoggedArtifact {
  readonly path: string;
  readonly type: string;
}

type Pairs = readonly (readonly [key: string, value: string])[];

/** The way of one run's lines to its recorder, and what must be known of the run to check them. */
export class RunLog {
  readonly session: Session;
  readonly runId: string;
  /** Made here: the store knows nothing of it that is not known here. */
  readonly isNew: boolean;
  /** Tables that were logged here, by artifact file: what is logged to one again is appended. */
  readonly tables = new Map<string, Table>();
  /** The tag `mlflow.loggedArtifacts` as it is known here. */
  readonly loggedArtifacts: LoggedArtifact[] = [];
  readonly #params: Map<string, string>;
  readonly #lineEnd: string;
  #isSampled = false;
  #writing: Promise<void> | undefined;

  constructor(session: Session, { info: { runId }, data }: Run, isNew: boolean) {
    this.session = session;
    this.runId = runId;
    this.isNew = isNew;
    this.#params = new Map(data.params.map(({ key, value }) => [key, value]));
    this.#lineEnd = `,"run_id":${JSON.stringify(runId)}}\n`;
    this.noteListed(data);
  }

  /** What others have added to the tag `mlflow.loggedArtifacts`. */
  noteListed({ tags }: RunData): void {
    for (const entry of parseListed(tags.find(({ key }) => key === mlflowTags.loggedArtifacts)?.value ?? "[]")) {
      const isKnown = this.loggedArtifacts.some(({ path, type }) => path === entry.path && type === entry.type);
      if (!isKnown) this.loggedArtifacts.push(entry);
    }
  }

  /** Calls `write` behind what was handed in before it, at once where that is done. `write` must not reject. */
  inOrder(write: () => Promise<void>): Promise<void> {
    const written = this.#writing === undefined ? write() : this.#writing.then(write);
    this.#writing = written;
    void written.then(() => {
      if (this.#writing === written) this.#writing = undefined;
    });
    return written;
  }

  /** Resolves once all that was handed in is said. */
  get idle(): Promise<void> {
    return this.#writing ?? Promise.resolve();
  }

  /** Takes a line without its run id and end; the promise is that of `LineChannel.room`. */
  write(line: string): Promise<void> {
    const { lines } = this.session;
    lines.write(line + this.#lineEnd);
    return lines.room;
  }

  /** Says an object and waits until it is taken; what is refused is reported, and hurts nobody. */
  async say(line: object): Promise<void> {
    await say(this.session.lines, { ...line, run_id: this.runId }).catch((error: unknown) => report(error));
  }

  /** A resumed run goes on behind the steps that it has. Where it is not to be sampled, that is reported. */
  startSampling(metrics: RunData["metrics"]): void {
    const steps = metrics.filter(({ key }) => key.startsWith("system/")).map(({ step }) => step + 1);
    this.#isSampled = true;
    const line = this.#samplingLine(true, Math.max(0, ...steps));
    const { lines } = this.session;
    // A recorder that takes the place of this one has heard nothing of it.
    lines.keep(this.runId, line);
    say(lines, line).catch((error: unknown) => {
      lines.keep(this.runId, undefined);
      report(error);
    });
  }

  stopSampling(): void {
    if (!this.#isSampled) return;
    const { lines } = this.session;
    lines.keep(this.runId, undefined);
    lines.write(`${JSON.stringify(this.#samplingLine(false, 0))}\n`);
  }

  #samplingLine(isOn: boolean, firstStep: number): object {
    return { sampling: samplingRequestJson({ isOn, pid: process.pid, firstStep }), run_id: this.runId };
  }

  /** Rejects where others have logged another value, which is reported as well: whoever does not await it has nothing to catch. */
  writeParams(pairs: Pairs): Promise<void> {
    for (const [key, value] of pairs) this.#params.set(key, value);
    const written = this.#sayParams(pairs);
    written.catch(() => {});
    return written;
  }

  async #sayParams(pairs: Pairs): Promise<void> {
    try {
      await say(this.session.lines, { params: Object.fromEntries(pairs), run_id: this.runId });
    } catch (error) {
      // The channel has told it: it lies in the journal.
      if (!(error instanceof StoreError)) return;
      for (const [key] of pairs) this.#params.delete(key);
      report(error);
      throw error;
    }
  }

  /** Params are written once: throws MLflow's `INVALID_PARAMETER_VALUE` where one would change. */
  refuseChanged(pairs: Pairs): void {
    for (const [key, value] of pairs) {
      const known = this.#params.get(key);
      // What was masked can only be told from another value by who masks.
      if (known === undefined || known === value || known.includes(maskMark)) continue;
      throw invalidParameter(
        `Changing param values is not allowed. Param with key='${key}' was already logged with value='${known}' ` +
          `for run ID='${this.runId}'. Attempted logging new value '${value}'.`,
      );
    }
  }
}

/** A tag that somebody has spoilt lists nothing. */
function parseListed(text: string): readonly LoggedArtifact[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? (value as LoggedArtifact[]) : [];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}
