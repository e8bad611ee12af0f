import type { IncomingMessage } from "node:http";
import { PassThrough } from "node:stream";
import type { StreamedArtifacts } from "../../artifacts/streamed-artifacts.ts";
import { StoreError } from "../../errors.ts";
import { listField } from "../../wire/rest-json-values.ts";
import { RequestRefusal } from "../answer.ts";
import { safeArtifactFile, safeArtifactFolder } from "../artifact-paths.ts";
import { artifactFileToJson } from "../list-artifacts.ts";
import * as fields from "../message-fields.ts";
import type { Call, MessageRoutes, StreamRoute } from "../route.ts";
import { sendArtifact } from "../send-artifact.ts";

/** Below `/api/2.0/mlflow-artifacts`. What needs a cloud store is answered as MLflow does over a plain folder: 501. */
export const artifactProxyRoutes: MessageRoutes = {
  "GET /artifacts": async (message, call) => {
    const folder = safeArtifactFolder(fields.text(message, "path"));
    const files = await proxyOf(call).listArtifacts(folder);
    return listField("files", files, (file) =>
      artifactFileToJson({ ...file, path: file.path.slice(file.path.lastIndexOf("/") + 1) }),
    );
  },
  "DELETE /artifacts/{path...}": (_message, call) => proxyOf(call).deleteArtifacts(fileOf(call)),
  "POST /mpu/create/{path...}": (message, call) => refuseMultipart(message, call, "upload"),
  "POST /mpu/complete/{path...}": (message, call) => refuseMultipart(message, call, "upload"),
  "POST /mpu/abort/{path...}": (message, call) => refuseMultipart(message, call, "upload"),
  "GET /presigned/{path...}": (_message, call) => {
    fileOf(call);
    return refuse("download");
  },
};

export const downloadArtifact: StreamRoute = async (request, response, call) => {
  request.resume();
  const file = fileOf(call);
  await sendArtifact(response, file, await proxyOf(call).readArtifact(file));
};

/** The bytes go to the repository as they come; an answer means that the file is there. */
export const uploadArtifact: StreamRoute = async (request, response, call) => {
  const file = fileOf(call);
  const content = contentOf(request);
  try {
    await proxyOf(call).writeArtifact(file, content);
  } catch (error) {
    if (request.errored !== null) throw new RequestRefusal(400, new StoreError("BAD_REQUEST", "The upload broke off."));
    throw error;
  }
  response.writeHead(200, ["Content-Length", "0"]);
  response.end();
};

/** Not the request itself: a repository that fails destroys what it reads, and the client would get no answer. */
function contentOf(request: IncomingMessage): PassThrough {
  const content = new PassThrough();
  request.on("error", (error) => content.destroy(error));
  request.pipe(content);
  return content;
}

function fileOf({ path }: Call): string {
  return safeArtifactFile(path["path"] ?? "");
}

function proxyOf({ stores }: Call): StreamedArtifacts {
  if (stores.artifactProxy !== undefined) return stores.artifactProxy;
  throw new RequestRefusal(503, new StoreError("TEMPORARILY_UNAVAILABLE", "Artifact serving is not configured."));
}

async function refuseMultipart(message: Parameters<typeof fields.requiredText>[0], call: Call, what: string) {
  fileOf(call);
  fields.requiredText(message, "path");
  return refuse(what);
}

function refuse(what: string): Promise<never> {
  const message = `Multipart ${what} is not supported for the current artifact repository`;
  return Promise.reject(new StoreError("NOT_IMPLEMENTED", message));
}
