import type { ArtifactRepository } from "../../artifacts/artifact-repository.ts";
import type { LoggedModel } from "../../entities/logged-model.ts";
import type { Run } from "../../entities/run.ts";
import type { TransferRecord } from "./transfer-record.ts";

/** Where runs come from. Artifacts are asked for only while the records of their run are read. */
export interface ImportSource extends AsyncDisposable {
  records(): AsyncIterable<TransferRecord>;
  /** `undefined` where the source has no files of that run. */
  openRunArtifacts(run: Run): Promise<ArtifactRepository | undefined>;
  openModelArtifacts(model: LoggedModel): Promise<ArtifactRepository | undefined>;
}
