import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ArtifactRepository } from "../../src/artifacts/artifact-repository.ts";
import { openArtifactRepository } from "../../src/artifacts/open-artifact-repository.ts";
import { plainAccess } from "../../src/entities/server-access.ts";
import { refused } from "../store/tracking-store-contract.ts";
import { FaultProxy } from "./fault-proxy.ts";
import { makeTestFolder } from "./interop-folder.ts";
import { newestMlflow } from "./mlflow-versions.ts";
import { serveMlflow } from "./served.ts";
import { describeWith } from "./with-mlflow.ts";

const megabyte = 1024 * 1024;

describeWith(newestMlflow)("artifacts behind MLflow's proxy", () => {
  const served = serveMlflow();
  let proxy: FaultProxy;
  let folder: string;
  let repository: ArtifactRepository;
  let bytes: number;
  let count = 0;

  beforeEach(async () => {
    proxy = await FaultProxy.start(served.server.url);
    folder = makeTestFolder();
    count += 1;
    bytes = 0;
    const quick = { maxRetries: 3, backoffFactorSeconds: 0, jitterSeconds: 0, respectRetryAfter: true };
    repository = openArtifactRepository(`mlflow-artifacts:/0/run${count}/artifacts`, {
      access: { ...plainAccess(proxy.url), retry: quick, timeoutMs: 5000 },
      onBytes: (more) => (bytes += more),
    });
  });
  afterEach(async () => {
    await repository.close?.();
    await proxy[Symbol.asyncDispose]();
  });

  function write(name: string, text: string): string {
    const path = join(folder, name);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  test("files of any name go up, are listed with their sizes, and come down", async () => {
    const names = ["model.bin", "empty", "größe 精度.txt", "100%.txt", "a+b&c=d.txt", "q?x.txt", "deep/er/file"];
    for (const name of names) await repository.logArtifact(write(name, name === "empty" ? "" : name), name);
    const listed = await repository.listArtifacts();
    expect(listed.map(({ path }) => path)).toEqual([...names.slice(0, -1), "deep"].toSorted());
    expect(listed.find(({ path }) => path === "model.bin")).toEqual({ path: "model.bin", isFolder: false, size: 9 });
    expect(listed.find(({ path }) => path === "empty")).toEqual({ path: "empty", isFolder: false, size: 0 });
    expect(await repository.listArtifacts("deep/er")).toEqual([{ path: "deep/er/file", isFolder: false, size: 12 }]);
    for (const name of names) {
      await repository.downloadArtifact(name, join(folder, "down", name));
      expect(readFileSync(join(folder, "down", name), "utf8")).toBe(name === "empty" ? "" : name);
    }
  });

  test("folders go up and come down whole, without links in a circle", async () => {
    write("out/a", "1");
    write("out/deep/b", "2");
    symlinkSync(join(folder, "out"), join(folder, "out/deep/up"));
    symlinkSync("nowhere", join(folder, "out/dangling"));
    await repository.logArtifact(join(folder, "out"), "all/out");
    await repository.downloadArtifact("all", join(folder, "copy"));
    expect(readFileSync(join(folder, "copy/out/a"), "utf8")).toBe("1");
    expect(readFileSync(join(folder, "copy/out/deep/b"), "utf8")).toBe("2");
    expect((await repository.listArtifacts("all/out")).map(({ path }) => path)).toEqual(["all/out/a", "all/out/deep"]);
    await repository.deleteArtifacts("all/out/deep");
    expect((await repository.listArtifacts("all/out")).map(({ path }) => path)).toEqual(["all/out/a"]);
    await repository.deleteArtifacts("all/out/deep");
  });

  test("what is not there, and what may not be named, is refused", async () => {
    await refused(repository.downloadArtifact("none", join(folder, "x")), "RESOURCE_DOES_NOT_EXIST");
    await refused(repository.logArtifact(join(folder, "none"), "x"), "RESOURCE_DOES_NOT_EXIST");
    expect(await repository.listArtifacts("none")).toEqual([]);
    for (const path of ["../up", "/abs", "a//b"]) {
      await refused(repository.listArtifacts(path), "INVALID_PARAMETER_VALUE");
      await refused(repository.logArtifact(write("x", "x"), path), "INVALID_PARAMETER_VALUE");
    }
  });

  test("a large file is streamed both ways and its bytes are counted", async () => {
    const size = 64 * megabyte;
    const large = join(folder, "large");
    await pipeline(Readable.from(chunks(size)), createWriteStream(large));
    const before = process.memoryUsage().rss;
    await repository.logArtifact(large, "large");
    expect(bytes).toBe(size);
    await repository.downloadArtifact("large", join(folder, "back"));
    expect(bytes).toBe(2 * size);
    expect(process.memoryUsage().rss - before).toBeLessThan(size);
    expect(await hashOf(join(folder, "back"))).toBe(await hashOf(large));
  });

  test("an upload whose answer is lost, or that is reset, is done once more", async () => {
    proxy.next({ kind: "cut", afterBytes: 0 }, { kind: "reset" });
    await repository.logArtifact(write("x", "content"), "x");
    expect(proxy.faultsMet).toBe(2);
    expect(bytes).toBe(7);
    await repository.downloadArtifact("x", join(folder, "y"));
    expect(readFileSync(join(folder, "y"), "utf8")).toBe("content");
  });

  test("a download that is cut begins anew, and half a file is never seen", async () => {
    const text = "0123456789".repeat(5000);
    await repository.logArtifact(write("x", text), "x");
    bytes = 0;
    // The listing, then the file.
    proxy.next({ kind: "slow", delayMs: 0 }, { kind: "cut", afterBytes: 3000 });
    await repository.downloadArtifact("x", join(folder, "y"));
    expect(readFileSync(join(folder, "y"), "utf8")).toBe(text);
    expect(bytes).toBe(text.length);
    await proxy.always({ kind: "status", status: 500 });
    await refused(repository.downloadArtifact("x", join(folder, "z")), "TEMPORARILY_UNAVAILABLE");
    expect(() => readFileSync(join(folder, "z"))).toThrow("ENOENT");
  });
});

function* chunks(size: number): Generator<Buffer> {
  for (let done = 0; done < size; done += megabyte) yield Buffer.alloc(megabyte, done / megabyte);
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}
