import { beforeAll, expect } from "vitest";
import { plainAccess } from "../../src/entities/server-access.ts";
import { openRestStore } from "../../src/store/rest/rest-store.ts";
import { metricsOf, tagsOf, TrackRig } from "../e2e/rig.ts";
import { describeTrackingStore, type StoreRig } from "../store/tracking-store-contract.ts";
import { makeFolder, removeFolder } from "./interop-folder.ts";
import { MlflowServer } from "./mlflow-server.ts";
import { isInstalled, newestMlflow } from "./mlflow-versions.ts";
import { findPostgres, PostgresServer } from "./postgres-server.ts";
import { installServerExtras } from "./server-extras.ts";
import { describeIf, isFull, onlyFull, testIf } from "../only-if.ts";

const folder = makeFolder();
const extras = isInstalled(newestMlflow) ? installServerExtras() : undefined;
const programs = extras === undefined ? undefined : findPostgres(`${folder}/debian`);

describeIf(programs !== undefined, "PostgreSQL is not to be had here")(
  `a tracking server, MLflow ${newestMlflow.version} on PostgreSQL`,
  () => {
    let server: MlflowServer;
    let database: PostgresServer;

    beforeAll(async () => {
      if (programs === undefined) return undefined;
      database = await PostgresServer.start(programs, folder);
      server = await MlflowServer.start(newestMlflow, database.uri, folder, { env: { PYTHONPATH: extras ?? "" } });
      return async () => {
        await server[Symbol.asyncDispose]();
        await database[Symbol.asyncDispose]();
        removeFolder(folder);
      };
    });

    const open = (): Promise<StoreRig> => {
      emptyDatabase(database);
      const store = openRestStore(plainAccess(server.url));
      return Promise.resolve({ store, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() });
    };
    describeTrackingStore("REST store", open, { keepsNoNul: true });

    // PostgreSQL has no NUL in its texts, and MLflow's server fails at one with a 500 of its own.
    testIf(isFull, onlyFull)("what the server fails at for good is set aside, the rest is stored", async () => {
      emptyDatabase(database);
      await using rig = TrackRig.setup();
      const said = String.raw`{"tags":{"bad":"a\u0000b"}}\nloss=1\ntag.good=yes\n`;
      const command = ["run", "--sync-timeout", "2m", "--", "sh", "-c", `printf '${said}' >> "$TRACK_LOG"`];
      const { code, stderr } = await rig.track(command, { env: { MLFLOW_TRACKING_URI: server.url } });
      expect(code).toBe(0);
      expect(stderr).toContain("1 entry refused");
      const run = await rig.run(server.url);
      expect(run.info.status).toBe("FINISHED");
      expect(metricsOf(run)).toEqual({ loss: 1 });
      expect(tagsOf(run)).toMatchObject({ good: "yes", "track.exit_code": "0" });
      expect(tagsOf(run)["bad"]).toBeUndefined();
    });
  },
);

/** Below a running server, as for SQLite. */
function emptyDatabase(database: PostgresServer): void {
  const kept = "'alembic_version', 'workspaces', 'experiments'";
  const tables = database.sql(
    `SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN (${kept})`,
  );
  const names = tables
    .trim()
    .split("\n")
    .map((name) => `"${name}"`);
  database.sql(`TRUNCATE ${names.join(", ")}`);
  database.sql("DELETE FROM experiments WHERE experiment_id <> 0");
}
