import type { Recording } from "../recording.ts";

const runOrModelId = String.raw`(?<![\da-z])(?:m-)?[\da-f]{32}(?![\da-z])`;
/** Experiments that were made while no server could be asked. */
const mintedExperimentId = String.raw`(?<!\d)\d{18}(?!\d)`;
const saidIds = new RegExp(`${runOrModelId}|${mintedExperimentId}`, "gu");
const storedIds = new RegExp(runOrModelId, "gu");
const storedExperimentIds = /"experiment_id":\s*"(\d{1,17})"/gu;

/**
 * Three names for one thing: the journal's, the store's, and the one that the command's processes know. They differ where a
 * tracking server gives ids of its own.
 */
export class ClientIds {
  readonly #recording: Recording;

  constructor(recording: Recording) {
    this.#recording = recording;
  }

  /** Of an id that the command has said, whichever of the three it is. */
  toJournal(id: string): string {
    const { ids, header } = this.#recording;
    return id === ids.childRunId ? header.runId : ids.fromStore(id);
  }

  /** The id that the command's processes know. */
  toClient(journalId: string): string {
    const { ids, header } = this.#recording;
    return journalId === header.runId ? ids.childRunId : journalId;
  }

  toStore(id: string): string {
    return this.#recording.ids.toStore(this.toJournal(id));
  }

  /** Text of a client's, such as a filter or a message, as the store is to be asked. */
  textToStore(text: string): string {
    return text.replaceAll(saidIds, (id) => this.toStore(id));
  }

  /** Text of the store's as the client is to see it. */
  textToClient(text: string): string {
    return text
      .replaceAll(storedIds, (id) => this.toClient(this.#recording.ids.fromStore(id)))
      .replaceAll(storedExperimentIds, (field, id: string) => {
        const known = this.#recording.ids.fromStore(id);
        return known === id ? field : `"experiment_id":"${known}"`;
      });
  }
}
