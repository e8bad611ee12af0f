import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LocalArtifactRepository } from "../../src/artifacts/local-artifact-repository.ts";

let folder: string;
let root: string;
let repository: LocalArtifactRepository;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "track-artifacts-"));
  root = join(folder, "mlruns/0/run/artifacts");
  repository = new LocalArtifactRepository(root);
});
afterEach(() => rm(folder, { recursive: true }));

function write(path: string, text: string): string {
  const whole = join(folder, path);
  mkdirSync(join(whole, ".."), { recursive: true });
  writeFileSync(whole, text);
  return whole;
}

describe("a file", () => {
  test("is copied with its time and mode, folders made as needed", async () => {
    const source = write("model.bin", "weights");
    utimesSync(source, 1000, 1234.5);
    await repository.logArtifact(source, "models/best/model.bin");
    const stored = join(root, "models/best/model.bin");
    expect(readFileSync(stored, "utf8")).toBe("weights");
    expect(statSync(stored).mtimeMs).toBe(1_234_500);
    expect(statSync(stored).mode).toBe(statSync(source).mode);
    expect(readdirSync(join(root, "models/best"))).toEqual(["model.bin"]);
  });

  test("replaces one of the same name", async () => {
    await repository.logArtifact(write("a", "old"), "x.txt");
    await repository.logArtifact(write("b", "new"), "x.txt");
    expect(readFileSync(repository.localPath("x.txt"), "utf8")).toBe("new");
  });

  test("is never seen half", async () => {
    const size = 48 * 1024 * 1024;
    const source = join(folder, "big");
    writeFileSync(source, Buffer.alloc(size, 1));
    const copy = { isDone: false };
    const copying = repository.logArtifact(source, "big").finally(() => {
      copy.isDone = true;
    });
    const seen = new Set<number>();
    while (!copy.isDone) {
      seen.add(statSync(join(root, "big"), { throwIfNoEntry: false })?.size ?? -1);
      for (const file of await repository.listArtifacts()) seen.add(file.size ?? -2);
      await setImmediate();
    }
    await copying;
    seen.delete(-1);
    seen.delete(size);
    expect([...seen]).toEqual([]);
    expect(statSync(join(root, "big")).size).toBe(size);
  });

  test("that is missing does not exist; one that is no file is refused", async () => {
    await refused(repository.logArtifact(join(folder, "none"), "x"), "RESOURCE_DOES_NOT_EXIST");
    await refused(repository.logArtifact("/dev/null", "x"), "INVALID_PARAMETER_VALUE");
    expect(existsSync(root)).toBe(false);
  });

  test("cannot take the place of a folder", async () => {
    await repository.logArtifact(write("a", "1"), "x/y");
    await refused(repository.logArtifact(write("a", "1"), "x"), "INVALID_PARAMETER_VALUE");
    await refused(repository.logArtifact(write("a", "1"), "x/y/z"), "INVALID_PARAMETER_VALUE");
    expect(readdirSync(root)).toEqual(["x"]);
  });
});

describe("a folder", () => {
  test("is copied whole and merged; links are followed, dead ones and loops left out", async () => {
    write("data/a.txt", "a");
    write("data/sub/b.txt", "b");
    mkdirSync(join(folder, "data/empty"));
    symlinkSync("a.txt", join(folder, "data/link"));
    symlinkSync("nowhere", join(folder, "data/dead"));
    symlinkSync("..", join(folder, "data/sub/loop"));
    await repository.logArtifact(write("z", "z"), "d/kept.txt");
    await repository.logArtifact(join(folder, "data"), "d");
    expect(readdirSync(join(root, "d")).toSorted()).toEqual(["a.txt", "empty", "kept.txt", "link", "sub"]);
    expect(readdirSync(join(root, "d/sub"))).toEqual(["b.txt"]);
    expect(readFileSync(join(root, "d/link"), "utf8")).toBe("a");
    expect(statSync(join(root, "d/link")).isFile()).toBe(true);
  });

  test("that holds the artifact root is copied without it", async () => {
    write("train.py", "code");
    await repository.logArtifact(folder, "all");
    await repository.logArtifact(folder, "all");
    expect(readdirSync(join(root, "all")).toSorted()).toEqual(["mlruns", "train.py"]);
    expect(existsSync(join(root, "all/mlruns/0/run/artifacts"))).toBe(false);
  });
});

describe("paths", () => {
  const bad = ["..", "../x", "a/../b", "/etc/passwd", "a//b", "a/", "./a", ".", "a/.", "x\0y"];
  test.each(bad)("%j is refused everywhere", async (path) => {
    const source = write("a", "1");
    await refused(repository.logArtifact(source, path), "INVALID_PARAMETER_VALUE");
    await refused(repository.listArtifacts(path), "INVALID_PARAMETER_VALUE");
    await refused(repository.downloadArtifact(path, join(folder, "out")), "INVALID_PARAMETER_VALUE");
    await refused(repository.deleteArtifacts(path), "INVALID_PARAMETER_VALUE");
    expect(() => repository.localPath(path)).toThrow("Invalid artifact path");
    expect(existsSync(source)).toBe(true);
  });

  test.each(["..a", "a..b/c", "back\\slash", "per%20cent", "精 度.txt", "C:x"])(
    "%j is a name like any other",
    async (path) => {
      await repository.logArtifact(write("a", "1"), path);
      expect(readFileSync(join(root, path), "utf8")).toBe("1");
    },
  );
});

describe("list, download, delete", () => {
  beforeEach(async () => {
    await repository.logArtifact(write("a", "12345"), "b.txt");
    await repository.logArtifact(write("a", "1"), "a/deep/c.txt");
    await repository.logArtifact(write("a", "1"), "B.txt");
  });

  test("lists one folder, sorted by path, with sizes of files", async () => {
    expect(await repository.listArtifacts()).toEqual([
      { path: "B.txt", isFolder: false, size: 1 },
      { path: "a", isFolder: true },
      { path: "b.txt", isFolder: false, size: 5 },
    ]);
    expect(await repository.listArtifacts("a/deep")).toEqual([{ path: "a/deep/c.txt", isFolder: false, size: 1 }]);
  });

  test("lists nothing for what is no folder", async () => {
    expect(await repository.listArtifacts("none")).toEqual([]);
    expect(await repository.listArtifacts("b.txt")).toEqual([]);
    expect(await new LocalArtifactRepository(join(folder, "none")).listArtifacts()).toEqual([]);
  });

  test("does not show what an interrupted copy left", async () => {
    writeFileSync(join(root, ".track-0123456789ab.tmp"), "half");
    expect((await repository.listArtifacts()).map((file) => file.path)).toEqual(["B.txt", "a", "b.txt"]);
  });

  test("downloads a file, a folder, everything", async () => {
    await repository.downloadArtifact("b.txt", join(folder, "out/b.txt"));
    expect(readFileSync(join(folder, "out/b.txt"), "utf8")).toBe("12345");
    await repository.downloadArtifact("a", join(folder, "out/a"));
    expect(readFileSync(join(folder, "out/a/deep/c.txt"), "utf8")).toBe("1");
    await repository.downloadArtifact("", join(folder, "out/all"));
    expect(readdirSync(join(folder, "out/all")).toSorted()).toEqual(["B.txt", "a", "b.txt"]);
    await refused(repository.downloadArtifact("none", join(folder, "out/n")), "RESOURCE_DOES_NOT_EXIST");
  });

  test("deletes a file, a folder, everything, and does not mind what is gone", async () => {
    await repository.deleteArtifacts("b.txt");
    await repository.deleteArtifacts("b.txt");
    await repository.deleteArtifacts("a");
    expect(readdirSync(root)).toEqual(["B.txt"]);
    await repository.deleteArtifacts();
    expect(existsSync(root)).toBe(false);
  });
});

async function refused(work: Promise<unknown>, errorCode: string): Promise<void> {
  await expect(work).rejects.toMatchObject({ errorCode });
}
