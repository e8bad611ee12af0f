import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ArtifactIntake, artifactPathOf } from "../../src/recorder/artifact-intake.ts";

let root: string;
let cwd: string;
let journal: string;
let intake: ArtifactIntake;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "intake-"));
  [cwd, journal] = [join(root, "work"), join(root, "journal")];
  for (const folder of [cwd, journal]) mkdirSync(folder);
  intake = new ArtifactIntake({ folder: journal, runId: "run", cwd });
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

const take = (path: string, fields: { artifactPath?: string; cwd?: string; runId?: string } = {}) =>
  intake.takeFile({ type: "artifact", path, ...fields });

describe("a file", () => {
  test("is copied, so that what the program does to it afterwards does not matter", async () => {
    writeFileSync(join(cwd, "model.bin"), "first");
    const operation = await take("model.bin", { artifactPath: "checkpoints/best" });
    expect(operation).toEqual({
      op: "log-artifact",
      runId: "run",
      spoolPath: expect.stringMatching(/^spool\/[\da-f]{12}\/model\.bin$/u),
      artifactFile: "checkpoints/best/model.bin",
    });
    const spooled = join(journal, operation.spoolPath);
    expect(statSync(spooled).ino).not.toBe(statSync(join(cwd, "model.bin")).ino);
    writeFileSync(join(cwd, "model.bin"), "second");
    expect(readFileSync(spooled, "utf8")).toBe("first");
    expect(statSync(join(spooled, "..")).mode & 0o777).toBe(0o700);
  });

  test("of the same name twice is two copies", async () => {
    writeFileSync(join(cwd, "a"), "1");
    const one = await take("a");
    writeFileSync(join(cwd, "a"), "2");
    const two = await take("a");
    expect([one, two].map(({ spoolPath }) => readFileSync(join(journal, spoolPath), "utf8"))).toEqual(["1", "2"]);
  });

  test("is looked for from the sender's folder, else from the run's", async () => {
    mkdirSync(join(root, "other"));
    writeFileSync(join(cwd, "a"), "run's");
    writeFileSync(join(root, "other/a"), "sender's");
    const found = [
      await take("a"),
      await take("a", { cwd: join(root, "other") }),
      await take(join(cwd, "a"), { cwd: "/" }),
    ];
    expect(found.map(({ spoolPath }) => readFileSync(join(journal, spoolPath), "utf8"))).toEqual([
      "run's",
      "sender's",
      "run's",
    ]);
  });

  test("may be another run's", async () => {
    writeFileSync(join(cwd, "a"), "");
    expect(await take("a", { runId: "other" })).toMatchObject({ runId: "other" });
  });
});

test("a folder is copied with all that is in it, links as what they point to, and without what cannot be copied", async () => {
  mkdirSync(join(cwd, "out/deep"), { recursive: true });
  writeFileSync(join(cwd, "out/deep/a"), "a");
  symlinkSync("deep/a", join(cwd, "out/link"));
  symlinkSync("nowhere", join(cwd, "out/dangling"));
  execFileSync("mkfifo", [join(cwd, "out/pipe")]);
  const { spoolPath, artifactFile } = await take("out/", { artifactPath: "x" });
  expect(artifactFile).toBe("x/out");
  rmSync(join(cwd, "out"), { recursive: true });
  expect(readdirSync(join(journal, spoolPath)).sort()).toEqual(["deep", "link"]);
  expect(readFileSync(join(journal, spoolPath, "link"), "utf8")).toBe("a");
});

test("a text becomes a file of that name", async () => {
  const operation = await intake.takeText({ type: "text", text: "raw", artifactFile: "notes/ü.txt" }, "masked ü\n");
  expect(operation).toMatchObject({ op: "log-artifact", runId: "run", artifactFile: "notes/ü.txt" });
  expect(readFileSync(join(journal, operation.spoolPath), "utf8")).toBe("masked ü\n");
});

describe("what cannot be taken is refused, and leaves nothing in the spool", () => {
  test.each([
    ["a file that is not there", "none", "RESOURCE_DOES_NOT_EXIST"],
    ["a path through a file", "file/below", "RESOURCE_DOES_NOT_EXIST"],
    ["a device", "/dev/null", "INVALID_PARAMETER_VALUE"],
    ["a named pipe", "pipe", "INVALID_PARAMETER_VALUE"],
    ["the root", "/", "INVALID_PARAMETER_VALUE"],
  ])("%s", async (_what, path, errorCode) => {
    writeFileSync(join(cwd, "file"), "");
    execFileSync("mkfifo", [join(cwd, "pipe")]);
    await expect(take(path)).rejects.toMatchObject({ errorCode });
    expect(existsSync(join(journal, "spool")) ? readdirSync(join(journal, "spool")) : []).toEqual([]);
  });
});

describe("artifact paths", () => {
  test.each([
    ["", "a", "a"],
    ["x", "a", "x/a"],
    ["x/y/", "a", "x/y/a"],
    ["", "notes/a.txt", "notes/a.txt"],
  ])("%j + %j", (folder, name, path) => {
    expect(artifactPathOf(folder, name)).toBe(path);
  });

  test.each([
    ["..", "a"],
    ["x/../..", "a"],
    ["/abs", "a"],
    ["x//y", "a"],
    ["./x", "a"],
    ["", ".."],
    ["", "../a"],
    ["", ""],
    ["", "/abs"],
  ])("%j + %j is refused", (folder, name) => {
    expect(() => artifactPathOf(folder, name)).toThrow(/Invalid artifact path/u);
  });
});
