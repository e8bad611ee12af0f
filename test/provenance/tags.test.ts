import { readFileSync } from "node:fs";
import { cpus, hostname, userInfo } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { hostTags } from "../../src/provenance/host.ts";
import { sourceTags } from "../../src/provenance/source-tags.ts";
import { userName } from "../../src/provenance/user.ts";
import { createGitRig } from "./git-rig.ts";

it("sourceTags", () => {
  expect(sourceTags(["python3", "train.py", "--lr", "1"])).toEqual([
    { key: "mlflow.source.name", value: "train.py" },
    { key: "mlflow.source.type", value: "LOCAL" },
  ]);
});

describe("userName", () => {
  const home = "/nowhere";
  it.each([
    [{ MLFLOW_TRACKING_USERNAME: "m", LOGNAME: "l", USER: "u" }, "m"],
    [{ MLFLOW_TRACKING_USERNAME: "", LOGNAME: "l", USER: "u", LNAME: "n" }, "l"],
    [{ USER: "u", LNAME: "n", USERNAME: "w" }, "u"],
    [{ LNAME: "n", USERNAME: "w" }, "n"],
    [{ USERNAME: "w" }, "w"],
    [{}, userInfo().username],
  ])("%j", (env, name) => expect(userName({ HOME: home, ...env })).toBe(name));

  it("reads MLflow's credentials file", () => {
    using rig = createGitRig();
    rig.write(
      "home/.mlflow/credentials",
      "[other]\nmlflow_tracking_username = x\n[mlflow]\nmlflow_tracking_username = file user\nmlflow_tracking_password = p\n",
    );
    expect(userName({ HOME: join(rig.folder, "home"), USER: "u" })).toBe("file user");
    expect(userName({ HOME: join(rig.folder, "home"), MLFLOW_TRACKING_USERNAME: "m" })).toBe("m");
  });
});

it("hostTags", async () => {
  const tags = new Map((await hostTags()).map(({ key, value }) => [key, value]));
  expect(tags.get("track.host")).toBe(hostname());
  expect(tags.get("track.platform")).toMatch(/^Linux \S+ \S+/u);
  expect(tags.get("track.cpu")).toMatch(/^\S.* \(\d+ logical\)$/u);
  expect(Number(/\((\d+) logical\)/u.exec(tags.get("track.cpu") ?? "")?.[1])).toBeGreaterThanOrEqual(cpus().length);
  const kilobytes = Number(/MemTotal:\s*(\d+)/u.exec(readFileSync("/proc/meminfo", "utf8"))?.[1]);
  expect(Math.abs(Number(tags.get("track.memory_megabytes")) - (kilobytes * 1024) / 1e6)).toBeLessThan(2);
  expect(tags.size).toBe(4);
});
