import type { StreamedArtifacts } from "../../artifacts/streamed-artifacts.ts";
import { StoreError } from "../../errors.ts";
import { safeArtifactFile } from "../artifact-paths.ts";
import { listArtifacts } from "../list-artifacts.ts";
import * as fields from "../message-fields.ts";
import { requiredVersion } from "../registry-fields.ts";
import type { MessageRoutes, StreamRoute } from "../route.ts";
import { sendArtifact } from "../send-artifact.ts";

export const artifactRoutes: MessageRoutes = {
  "GET /artifacts/list": async (message, { stores }) => {
    const { info } = await stores.tracking.getRun(fields.requiredRunId(message));
    return listArtifacts(stores, info.artifactUri, fields.text(message, "path"));
  },
  "POST /artifacts/presigned-upload-url": () => refusePresigned("upload"),
  "POST /artifacts/presigned-download-url": () => refusePresigned("download"),
};

/** `/get-artifact`: a file of a run. */
export const getArtifact: StreamRoute = async (request, response, { stores, query }) => {
  request.resume();
  const runId = fields.requiredRunId({ run_id: query.get("run_id"), run_uuid: query.get("run_uuid") ?? undefined });
  const file = requiredFile(query, "path");
  const { info } = await stores.tracking.getRun(runId);
  await send(await stores.openArtifacts(info.artifactUri), file, response);
};

/** `/model-versions/get-artifact`: a file of a registered model version. */
export const getModelVersionArtifact: StreamRoute = async (request, response, { stores, query }) => {
  request.resume();
  const message = { name: query.get("name"), version: query.get("version") };
  const name = fields.requiredText(message, "name");
  const file = requiredFile(query, "path");
  const uri = await stores.registry.getModelVersionDownloadUri(name, requiredVersion(message));
  await send(await stores.openArtifacts(uri), file, response);
};

/** `/ajax-api/2.0/mlflow/logged-models/{model_id}/artifacts/files`: a file of a logged model. */
export const getLoggedModelArtifact: StreamRoute = async (request, response, { stores, query, path }) => {
  request.resume();
  const file = query.get("artifact_file_path") ?? "";
  if (file === "") {
    throw new StoreError("BAD_REQUEST", 'Request must include the "artifact_file_path" query parameter.');
  }
  const safe = safeArtifactFile(file);
  const { artifactLocation } = await stores.tracking.getLoggedModel(path["model_id"] ?? "");
  await send(await stores.openArtifacts(artifactLocation), safe, response);
};

function requiredFile(query: URLSearchParams, key: string): string {
  return safeArtifactFile(fields.requiredText({ [key]: query.get(key) }, key));
}

async function send(
  artifacts: StreamedArtifacts,
  file: string,
  response: Parameters<typeof sendArtifact>[0],
): Promise<void> {
  await sendArtifact(response, file, await artifacts.readArtifact(file));
}

function refusePresigned(what: "upload" | "download"): Promise<never> {
  const message = `Presigned ${what} is not supported for the current artifact repository`;
  return Promise.reject(new StoreError("NOT_IMPLEMENTED", message));
}
