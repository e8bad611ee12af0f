import type { SecretMasker } from "../wire/redact.ts";

const families = /^(?:SLURM_|CUDA_|NCCL_|OMP_|CONDA_|TORCHELASTIC_|OMPI_COMM_WORLD_|MV2_COMM_WORLD_|PMI_|PMIX_)/u;

const named = new Set(
  (
    "RANK LOCAL_RANK WORLD_SIZE LOCAL_WORLD_SIZE NODE_RANK GROUP_RANK GROUP_WORLD_SIZE ROLE_RANK ROLE_NAME ROLE_WORLD_SIZE " +
    "MASTER_ADDR MASTER_PORT VIRTUAL_ENV"
  ).split(" "),
);

/** The variables of the allow-list (records.md), sorted, secrets in them masked. */
export function pickVariables(
  env: Readonly<Record<string, string | undefined>>,
  masker: SecretMasker,
): Readonly<Record<string, string>> {
  const entries = Object.entries(env)
    .filter(
      (entry): entry is [string, string] => entry[1] !== undefined && (families.test(entry[0]) || named.has(entry[0])),
    )
    .sort(([left], [right]) => (left < right ? -1 : 1));
  return Object.fromEntries(entries.map(([name, value]) => [name, masker.maskKeyValue(name, value)]));
}
