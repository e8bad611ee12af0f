import type { DatasetInput } from "../entities/dataset.ts";
import type { StoreOperation } from "../entities/journal-entry.ts";
import type { SecretMasker } from "../wire/redact.ts";

interface KeyValue {
  readonly key: string;
  readonly value: string;
}

/**
 * The operation as it may be journaled and stored: values of params and tags, descriptions of datasets, secrets masked.
 * The very same object where nothing was masked. Names, keys and metrics are left alone; masking twice changes nothing more.
 */
export function maskOperation(masker: SecretMasker, operation: StoreOperation): StoreOperation {
  if (!masker.masksAnything) return operation;
  const changes = {
    ...("params" in operation && operation.params && { params: maskValues(masker, operation.params) }),
    ...("tags" in operation && operation.tags && { tags: maskValues(masker, operation.tags) }),
    ...("datasets" in operation && { datasets: maskDatasets(masker, operation.datasets) }),
    ...("value" in operation && { value: masker.maskKeyValue(operation.key, operation.value) }),
  };
  const isChanged = Object.entries(changes).some(([name, value]) => operation[name as keyof StoreOperation] !== value);
  return isChanged ? { ...operation, ...changes } : operation;
}

function maskValues<T extends KeyValue>(masker: SecretMasker, entries: readonly T[]): readonly T[] {
  const masked = entries.map((entry) => {
    const value = masker.maskKeyValue(entry.key, entry.value);
    return value === entry.value ? entry : { ...entry, value };
  });
  return masked.every((entry, index) => entry === entries[index]) ? entries : masked;
}

function maskDatasets(masker: SecretMasker, inputs: readonly DatasetInput[]): readonly DatasetInput[] {
  const masked = inputs.map((input) => {
    const source = masker.maskText(input.dataset.source);
    const tags = maskValues(masker, input.tags);
    if (source === input.dataset.source && tags === input.tags) return input;
    return { dataset: { ...input.dataset, source }, tags };
  });
  return masked.every((input, index) => input === inputs[index]) ? inputs : masked;
}
