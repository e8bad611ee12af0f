import type { IncomingMessage, ServerResponse } from "node:http";
import type { Elsewhere, HeardRequest } from "../../server/rest-server.ts";
import { isJsonObject } from "../../wire/rest-json-values.ts";
import type { EndpointState } from "./endpoint-state.ts";
import type { PassThrough } from "./pass-through.ts";
import { isFamilySearch } from "./search-family.ts";
import { serverAway } from "./server-away.ts";
import type { SpooledArtifacts } from "./spooled-artifacts.ts";

const proxyPath = "/mlflow-artifacts/artifacts";

/**
 * The tracking server behind the endpoint: it answers what is not about the family (the run, what the command's processes create,
 * and their artifacts and models), and what only it can know.
 */
export class ServerBehind implements Elsewhere {
  readonly #state: EndpointState;
  readonly #artifacts: SpooledArtifacts;
  readonly #passThrough: PassThrough;

  constructor(state: EndpointState, artifacts: SpooledArtifacts, passThrough: PassThrough) {
    this.#state = state;
    this.#artifacts = artifacts;
    this.#passThrough = passThrough;
  }

  async isFor(heard: HeardRequest): Promise<boolean> {
    const path = heard.path.replace(/^\/(?:ajax-)?api\/[23]\.0/u, "");
    if (path.startsWith("/mlflow-artifacts/")) return await this.#isForeignFile(heard, path);
    const topic = path.replace(/^\/mlflow/u, "");
    if (topic.startsWith("/experiments/")) return this.#isForeignExperiment(heard, topic);
    if (topic.startsWith("/logged-models")) return await this.#isForeignModel(heard, topic);
    if (topic === "/runs/search" || topic === "/metrics/get-history-bulk-interval") {
      return await this.#isForeignQuestion(heard, topic);
    }
    if (topic === "/runs/create" || topic === "/server-info") return false;
    const runId = heard.message["run_id"] ?? heard.message["run_uuid"];
    if (typeof runId !== "string" || !this.#state.isFamily(this.#state.ids.toJournal(runId))) return true;
    if (topic === "/metrics/get-history" || topic.startsWith("/runs/")) return false;
    // Files that lie where the server can see them and we cannot are the server's to show.
    const isList = topic === "/artifacts/list" || topic === "/get-artifact";
    return isList ? !(await this.#isSpooled(runId)) : !topic.startsWith("/artifacts/presigned");
  }

  async answer(request: IncomingMessage, response: ServerResponse, body?: string): Promise<void> {
    const { url = "/", method = "GET" } = request;
    if (!url.includes(`${proxyPath}/`) || method === "GET") await this.#letDrain(method, url);
    const real = await this.#artifacts.urlOnServer(url);
    const said = body === undefined ? undefined : await this.#artifacts.withPlacesOnServer(body);
    await this.#passThrough.answer(request, response, { url: real, ...(said !== undefined && { body: said }) });
  }

  close(): Promise<void> {
    return this.#passThrough.close();
  }

  /** What is asked of the server may be about what was said before; what is registered must be there. */
  async #letDrain(method: string, url: string): Promise<void> {
    const isSettled = await this.#state.access.settle();
    const isRegistryWrite = method !== "GET" && /\/(?:registered-models|model-versions)\/(?!search|get-)/u.test(url);
    if (isSettled || !isRegistryWrite || (await this.#state.recording.settle(registryWaitMs))) return;
    throw serverAway("what was said before is not stored yet");
  }

  async #isForeignFile({ method, values, message }: HeardRequest, path: string): Promise<boolean> {
    const named = values["path"] ?? message["path"];
    const file = typeof named === "string" ? this.#artifacts.find(named) : undefined;
    if (file === undefined) return true;
    if (path === proxyPath) return false;
    if (!path.startsWith(`${proxyPath}/`)) return false;
    if (method === "PUT") return false;
    return method === "DELETE" || !(await this.#artifacts.isSpooled(file));
  }

  #isForeignExperiment({ message }: HeardRequest, topic: string): boolean {
    if (["/experiments/create", "/experiments/get-by-name", "/experiments/get"].includes(topic)) return false;
    const id = message["experiment_id"];
    if (typeof id !== "string") return true;
    const { experiments } = this.#state;
    const experimentId = this.#state.ids.toJournal(id);
    if (topic === "/experiments/set-experiment-tag" && experiments.isSeen(experimentId)) return false;
    return !experiments.isMade(experimentId);
  }

  async #isForeignModel({ values, method }: HeardRequest, topic: string): Promise<boolean> {
    if (topic === "/logged-models") return false;
    // While it is away the command's own models are all that can be found.
    if (topic === "/logged-models/search") return await this.#state.access.settle();
    const modelId = values["model_id"];
    if (modelId === undefined || this.#state.models.get(modelId) === undefined) return true;
    return method === "GET" && topic.includes("/artifacts/") && !(await this.#isSpooled(modelId));
  }

  async #isSpooled(id: string): Promise<boolean> {
    return (await this.#state.placeOf(this.#state.ids.toJournal(id))).startsWith("mlflow-artifacts:");
  }

  /** What is about the family alone can be answered here, too, while the server cannot, or has not all of it yet. */
  async #isForeignQuestion(heard: HeardRequest, topic: string): Promise<boolean> {
    const { filter, run_ids: runIds } = heard.message;
    const isSearch = topic === "/runs/search";
    if (isSearch) this.#noteSearch(heard);
    const isFamilys = isSearch
      ? typeof filter === "string" && isFamilySearch(this.#state, filter)
      : this.#areFamily(runIds);
    return !isFamilys || (await this.#state.access.isUpToDate());
  }

  #areFamily(said: unknown): boolean {
    const runIds: readonly unknown[] = Array.isArray(said) ? said : [said];
    return runIds.every((id) => typeof id === "string" && this.#state.isFamily(this.#state.ids.toJournal(id)));
  }

  /** Who searches in an experiment has looked it up for that, and has not chosen it. */
  #noteSearch({ message, peer }: HeardRequest): void {
    const ids = message["experiment_ids"];
    const said = Array.isArray(ids) ? ids.filter((id) => typeof id === "string") : [];
    const { chosen, peers } = this.#state;
    if (isJsonObject(message) && !chosen.isEmpty) chosen.searched(peers.pidOf(peer.port), said);
  }
}

const registryWaitMs = 5000;
