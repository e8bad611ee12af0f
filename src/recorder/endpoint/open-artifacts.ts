import { LocalStreamedArtifacts } from "../../artifacts/local-streamed-artifacts.ts";
import { openArtifactRepository } from "../../artifacts/open-artifact-repository.ts";
import type { StreamedArtifacts } from "../../artifacts/streamed-artifacts.ts";
import { StoreError } from "../../errors.ts";
import type { SpooledArtifacts } from "./spooled-artifacts.ts";

const proxyScheme = "mlflow-artifacts:/";

/** The files below an artifact URI: a folder of this machine, or what still lies in our spool. */
export async function openArtifacts(artifactUri: string, spooled: SpooledArtifacts): Promise<StreamedArtifacts> {
  if (artifactUri.startsWith(proxyScheme)) return belowOf(spooled, artifactUri.slice(proxyScheme.length));
  const folder = openArtifactRepository(artifactUri).localPath?.("");
  if (folder !== undefined) return new LocalStreamedArtifacts(folder);
  throw new StoreError("NOT_IMPLEMENTED", `artifacts are not served from there: ${artifactUri}`);
}

function belowOf(artifacts: SpooledArtifacts, root: string): StreamedArtifacts {
  const whole = (path = ""): string => (path === "" ? root : `${root}/${path}`);
  return {
    writeArtifact: (file, content) => artifacts.writeArtifact(whole(file), content),
    readArtifact: (file) => artifacts.readArtifact(whole(file)),
    listArtifacts: async (folder) => {
      const files = await artifacts.listArtifacts(whole(folder));
      return files.map((file) => ({ ...file, path: file.path.slice(root.length + 1) }));
    },
    deleteArtifacts: () => artifacts.deleteArtifacts(),
  };
}
