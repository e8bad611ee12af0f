import { expect } from "vitest";
import { RestRig } from "../server/rest-rig.ts";
import { RestCaller } from "./call-both.ts";
import { makeTestFolder, sqliteUri } from "./interop-folder.ts";
import { MlflowServer } from "./mlflow-server.ts";
import { newestMlflow } from "./mlflow-versions.ts";
import { restCalls } from "./rest-calls.ts";
import { testWith } from "./with-mlflow.ts";

testWith(newestMlflow)(
  `our REST server answers as MLflow's ${newestMlflow.version}, call by call and field by field`,
  async () => {
    await using rig = await RestRig.start({ artifactRoot: "mlflow-artifacts:" });
    const folder = makeTestFolder();
    await using server = await MlflowServer.start(newestMlflow, sqliteUri(folder), folder);
    const [ours, theirs] = [new RestCaller(rig.url), new RestCaller(server.url)];
    const differences: string[] = [];
    for (const call of restCalls) {
      const [our, their] = [await ours.make(call), await theirs.make(call)];
      if (call.differs !== undefined) {
        if (our.status !== call.differs.ours)
          differences.push(`${JSON.stringify(call)}\n  ours ${JSON.stringify(our)}`);
        if (JSON.stringify(our) === JSON.stringify(their)) differences.push(`${JSON.stringify(call)}\n  no difference`);
      } else if (JSON.stringify(sorted(our)) !== JSON.stringify(sorted(their))) {
        differences.push(`${JSON.stringify(call)}\n  ours   ${JSON.stringify(our)}\n  theirs ${JSON.stringify(their)}`);
      }
    }
    expect(differences.join("\n")).toBe("");
    expect(rig.faults).toEqual([]);
  },
);

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)])) as unknown;
}
