import { expect, test } from "vitest";
import { documentedFaults, requestGenerator } from "../server/request-generator.ts";
import { OpenRun } from "./open-run.ts";
import { TrackRig } from "./rig.ts";

const rounds = process.env["TRACK_TEST_FULL"] === undefined ? 1500 : 20_000;

test(
  `${rounds} generated requests to the endpoint of a run: no fault, and all that was taken is stored`,
  { timeout: 300_000 },
  async () => {
    await using rig = TrackRig.setup();
    const open = await OpenRun.start(rig);
    const url = open.env["MLFLOW_TRACKING_URI"] ?? "";
    const Authorization = `Bearer ${open.env["MLFLOW_TRACKING_TOKEN"]}`;
    const generate = requestGenerator(20_261_126);
    generate.learn({ text: open.runId });
    const statuses = new Map<number, number>();
    for (let round = 0; round < rounds; round += 1) {
      const { path, init } = generate();
      const response = await fetch(url + path, { ...init, headers: { ...init.headers, Authorization } });
      const text = await response.text();
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
      const line = `${response.status} ${text}`;
      const said = `round ${round}: ${init.method} ${path} ${init.body?.toString() ?? ""}\n${line}`;
      if (response.status >= 500) {
        expect(
          documentedFaults.some((pattern) => pattern.test(line)),
          said,
        ).toBe(true);
      }
      generate.learn({ text });
    }
    expect(statuses.get(200) ?? 0).toBeGreaterThan(rounds / 20);
    expect(statuses.get(400) ?? 0).toBeGreaterThan(rounds / 20);
    const finished = await open.end();
    expect(finished.code).toBe(0);
    // Neither a request that failed for no reason of its own, nor an entry that the store refused afterwards; but while a client has
    // the run deleted, our own samples of it are.
    const lines = finished.stderr
      .split("\n")
      .filter((line) => !line.includes(`The run ${open.runId} must be in the 'active'`));
    expect(lines.filter((line) => /request failed|the store refused|set aside/u.test(line))).toEqual([]);
  },
);
