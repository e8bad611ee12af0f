import type { DatasetInput } from "../../entities/dataset.ts";
import type { StoreOperation } from "../../entities/journal-entry.ts";
import type { RunInputs, RunOutputs } from "../../entities/run.ts";

/** The datasets and models that a run used and made, kept as a store keeps them: what is said twice is there once. */
export class RunEdges {
  readonly #datasets = new Map<string, DatasetInput>();
  readonly #modelIds = new Set<string>();
  readonly #outputs = new Map<string, number>();

  get inputs(): RunInputs {
    return { datasetInputs: [...this.#datasets.values()], modelIds: [...this.#modelIds] };
  }

  get outputs(): RunOutputs {
    return { models: Array.from(this.#outputs, ([modelId, step]) => ({ modelId, step })) };
  }

  seed(inputs: RunInputs, outputs: RunOutputs): void {
    this.#addInputs(inputs.datasetInputs, inputs.modelIds);
    for (const { modelId, step } of outputs.models) this.#outputs.set(modelId, step);
  }

  observe(operation: StoreOperation): void {
    if (operation.op === "log-inputs") this.#addInputs(operation.datasets, operation.modelIds);
    if (operation.op === "log-outputs") {
      for (const { modelId, step } of operation.models) this.#outputs.set(modelId, step);
    }
  }

  #addInputs(datasets: readonly DatasetInput[], modelIds: readonly string[]): void {
    for (const input of datasets) {
      const key = JSON.stringify([input.dataset.name, input.dataset.digest]);
      if (!this.#datasets.has(key)) this.#datasets.set(key, input);
    }
    for (const modelId of modelIds) this.#modelIds.add(modelId);
  }
}
