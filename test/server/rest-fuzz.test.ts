import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { documentedFaults, requestGenerator } from "./request-generator.ts";
import { type Answer, RestRig } from "./rest-rig.ts";

const rounds = process.env["TRACK_TEST_FULL"] === undefined ? 1500 : 20_000;

test(
  `${rounds} generated requests: never a crash, never a 5xx that is not documented, nothing written by a refused one`,
  { timeout: 200_000 },
  async () => {
    await using rig = await RestRig.start({ artifactRoot: "mlflow-artifacts:", maxBodyBytes: 200_000 });
    using watcher = new DatabaseSync(join(rig.folder, "mlflow.db"), { readOnly: true });
    const version = () => watcher.prepare("PRAGMA data_version").get()?.["data_version"];
    const generate = requestGenerator(20_261_125);
    const statuses = new Map<number, number>();
    for (let round = 0; round < rounds; round += 1) {
      const { path, init } = generate();
      const before = version();
      const answer = await rig.ask(path, init);
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      const said = () =>
        `round ${round}: ${init.method} ${path} ${init.body?.toString() ?? ""}\n${answer.status} ${answer.text}`;
      if (answer.status >= 500) {
        const line = `${answer.status} ${answer.text}`;
        expect(
          documentedFaults.some((pattern) => pattern.test(line)),
          said(),
        ).toBe(true);
      }
      if (answer.status >= 400) expect(version(), said()).toBe(before);
      if (answer.status >= 400 && answer.contentType === "application/json")
        expect(errorCodeOf(answer), said()).toMatch(/^[A-Z_]+$/u);
      generate.learn(answer);
    }
    expect(rig.faults).toEqual([]);
    // A generator whose requests are all refused, or all fine, tests little.
    expect(statuses.get(200) ?? 0).toBeGreaterThan(rounds / 20);
    expect(statuses.get(400) ?? 0).toBeGreaterThan(rounds / 20);
    expect(statuses.get(404) ?? 0).toBeGreaterThan(rounds / 50);
  },
);

function errorCodeOf({ body }: Answer): string | undefined {
  return (body as { error_code?: string } | undefined)?.error_code;
}
