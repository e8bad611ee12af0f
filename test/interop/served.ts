import { afterEach, beforeAll, beforeEach } from "vitest";
import type { Run } from "../../src/entities/run.ts";
import { TrackRig } from "../e2e/rig.ts";
import { FaultProxy } from "./fault-proxy.ts";
import { makeFolder, removeFolder } from "./interop-folder.ts";
import { MlflowServer, type ServerOptions } from "./mlflow-server.ts";
import { type MlflowVersion, newestMlflow } from "./mlflow-versions.ts";
import { warmUp } from "./warm-up.ts";

export interface ServedOptions extends ServerOptions {
  readonly version?: MlflowVersion;
  /** For runs, whose start does not wait long for the server's first answers. */
  readonly isWarm?: boolean;
}

/** What lasts as long as the group of tests that it was asked for in. */
export interface Served {
  readonly server: MlflowServer;
  /** The server's working folder; its database is `mlflow.db` there. */
  readonly folder: string;
}

/** One `mlflow server` on a new SQLite database for all tests of the group that this is called in. */
export function serveMlflow({ version = newestMlflow, isWarm = false, ...options }: ServedOptions = {}): Served {
  let server: MlflowServer | undefined;
  let folder = "";
  beforeAll(async () => {
    folder = makeFolder();
    server = await MlflowServer.start(version, `sqlite:///${folder}/mlflow.db`, folder, options);
    if (isWarm) await warmUp(server);
    return async () => {
      await server?.[Symbol.asyncDispose]();
      removeFolder(folder);
    };
  });
  return {
    get server() {
      return given(server);
    },
    get folder() {
      return folder;
    },
  };
}

/** What each test has for itself, beside the server that all of them share. */
export interface ServedRig extends Served {
  readonly rig: TrackRig;
  /** Before the server; passes everything on until it is told otherwise. */
  readonly proxy: FaultProxy;
  /** Name of the test's own experiment. */
  readonly experiment: string;
  /** Of one experiment, the test's own by default, as the server itself has them; deleted ones included. */
  runs(experiment?: string): Promise<readonly Run[]>;
  /** Throws where there is not just one. */
  onlyRun(experiment?: string): Promise<Run>;
}

/** The same with a rig, and a proxy that can fail, for each test. */
export function serveRigs(prefix: string): ServedRig {
  const served = serveMlflow({ isWarm: true });
  let rig: TrackRig | undefined;
  let proxy: FaultProxy | undefined;
  let count = 0;
  beforeEach(async () => {
    proxy = await FaultProxy.start(served.server.url);
    rig = TrackRig.setup();
    count += 1;
  });
  afterEach(async () => {
    await proxy?.always();
    await rig?.[Symbol.asyncDispose]();
    await proxy?.[Symbol.asyncDispose]();
  });
  const nameOf = (): string => `${prefix}${count}`;
  const runs = async (experiment = nameOf()): Promise<readonly Run[]> => {
    await using store = await given(rig).openStore(served.server.url);
    const found = await store.getExperimentByName(experiment);
    if (found === undefined) return [];
    return (await store.searchRuns({ experimentIds: [found.experimentId], viewType: "ALL" })).items;
  };
  return {
    get server() {
      return served.server;
    },
    get folder() {
      return served.folder;
    },
    get rig() {
      return given(rig);
    },
    get proxy() {
      return given(proxy);
    },
    get experiment() {
      return nameOf();
    },
    runs,
    onlyRun: async (experiment) => {
      const [run, ...others] = await runs(experiment);
      if (run === undefined || others.length > 0) throw new Error(`${others.length + 1} runs instead of one`);
      return run;
    },
  };
}

function given<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error("nothing is served outside of tests");
  return value;
}
