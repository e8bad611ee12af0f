import type { LifecycleStage } from "./lifecycle-stage.ts";
import type { Tag } from "./tag.ts";

/** Times in ms since the epoch. `experimentId` is decimal text. */
export interface Experiment {
  readonly experimentId: string;
  readonly name: string;
  readonly artifactLocation: string;
  readonly lifecycleStage: LifecycleStage;
  readonly creationTime?: number;
  readonly lastUpdateTime?: number;
  readonly tags: readonly Tag[];
}
