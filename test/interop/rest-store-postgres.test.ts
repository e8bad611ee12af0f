import { beforeAll, describe } from "vitest";
import { plainAccess } from "../../src/entities/server-access.ts";
import { openRestStore } from "../../src/store/rest/rest-store.ts";
import { describeTrackingStore, type StoreRig } from "../store/tracking-store-contract.ts";
import { makeFolder, removeFolder } from "./interop-folder.ts";
import { MlflowServer } from "./mlflow-server.ts";
import { isInstalled, newestMlflow } from "./mlflow-versions.ts";
import { findPostgres, PostgresServer } from "./postgres-server.ts";
import { installServerExtras } from "./server-extras.ts";

const folder = makeFolder();
const extras = isInstalled(newestMlflow) ? installServerExtras() : undefined;
const programs = extras === undefined ? undefined : findPostgres(`${folder}/debian`);

describe.skipIf(programs === undefined)(`a tracking server, MLflow ${newestMlflow.version} on PostgreSQL`, () => {
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
});

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
