import type { MetricTuple, StoreOperation } from "../../entities/journal-entry.ts";
import type { LoggedModel } from "../../entities/logged-model.ts";
import type { Metric } from "../../entities/metric.ts";
import type { Param } from "../../entities/param.ts";
import type { Tag } from "../../entities/tag.ts";
import { invalidParameter } from "../../errors.ts";

type CreateModelOperation = Extract<StoreOperation, { readonly op: "create-logged-model" }>;

/** The logged models that the command's processes have made, as far as the journal has brought them. */
export class KnownModels {
  readonly #models = new Map<string, LoggedModel>();
  readonly #metrics = new Map<string, Metric[]>();

  /** `undefined`: not made here. */
  get(modelId: string): LoggedModel | undefined {
    return this.#whole(this.#models.get(modelId));
  }

  /** Oldest first. */
  get all(): readonly LoggedModel[] {
    return [...this.#models.values()];
  }

  /** With the place of its files, which no operation names. */
  withLocation(modelId: string, artifactLocation: string): LoggedModel | undefined {
    return this.#change(modelId, () => ({ artifactLocation }));
  }

  /** Throws as a store does where a param that is written once would change. */
  checkParams(modelId: string, params: readonly Param[]): void {
    const known = this.#models.get(modelId)?.params ?? [];
    for (const { key, value } of params) {
      const present = known.find((param) => param.key === key);
      if (present !== undefined && present.value !== value) {
        throw invalidParameter(
          `Changing param values is not allowed: '${key}' of model '${modelId}' was already logged ` +
            `with value '${present.value}', new value '${value}'.`,
        );
      }
    }
  }

  observe(operation: StoreOperation, now: number): void {
    if (operation.op === "log-batch") return this.#observeMetrics(operation.metrics ?? []);
    if (!("modelId" in operation) || operation.op === "log-artifact") return;
    const { modelId } = operation;
    switch (operation.op) {
      case "create-logged-model":
        if (this.#models.has(modelId)) return;
        this.#models.set(modelId, modelOf(operation, now));
        this.#metrics.set(modelId, []);
        return;
      case "finalize-logged-model":
        this.#change(modelId, () => ({ status: operation.status, lastUpdatedTimestamp: now }));
        return;
      case "log-logged-model-params":
        this.#change(modelId, ({ params }) => ({ params: upserted(params, operation.params) }));
        return;
      case "set-logged-model-tags":
        this.#change(modelId, ({ tags }) => ({ tags: upserted(tags, operation.tags) }));
        return;
      case "delete-logged-model-tag":
        this.#change(modelId, ({ tags }) => ({ tags: tags.filter(({ key }) => key !== operation.key) }));
        return;
      case "delete-logged-model":
        this.#models.delete(modelId);
    }
  }

  #observeMetrics(metrics: readonly MetricTuple[]): void {
    for (const [key, value, timestamp, step, about] of metrics) {
      const metric: Metric = { key, value: Number(value), timestamp, step, ...about };
      if (about?.modelId !== undefined) this.#metrics.get(about.modelId)?.push(metric);
    }
  }

  #whole(model: LoggedModel | undefined): LoggedModel | undefined {
    return model === undefined ? undefined : { ...model, metrics: this.#metrics.get(model.modelId) ?? [] };
  }

  #change(modelId: string, change: (model: LoggedModel) => Partial<LoggedModel>): LoggedModel | undefined {
    const model = this.#models.get(modelId);
    if (model === undefined) return undefined;
    const changed = { ...model, ...change(model) };
    this.#models.set(modelId, changed);
    return this.#whole(changed);
  }
}

function modelOf(operation: CreateModelOperation, now: number): LoggedModel {
  const { op: _op, name = "", ...request } = operation;
  return {
    ...request,
    name,
    artifactLocation: "",
    creationTimestamp: now,
    lastUpdatedTimestamp: now,
    status: "LOGGED_MODEL_PENDING",
    metrics: [],
  };
}

function upserted<Pair extends Param | Tag>(known: readonly Pair[], said: readonly Pair[]): readonly Pair[] {
  return [...new Map([...known, ...said].map((pair) => [pair.key, pair])).values()];
}
