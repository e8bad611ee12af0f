import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";

export interface UnpackedPackages {
  /** What would be `/`. */
  readonly root: string;
  /** For LD_LIBRARY_PATH. */
  readonly libraries: string;
}

/**
 * Debian packages with whatever they need and this machine lacks, unpacked below `scratch` as an ordinary user can. Where they
 * cannot be had: throws under CI, else `undefined`, told.
 */
export function unpackDebian(names: readonly string[], scratch: string): UnpackedPackages | undefined {
  try {
    return unpack(names, scratch);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (process.env["CI"]) throw new Error(`interop: ${names.join(" ")} cannot be had: ${reason}`, { cause: error });
    console.log(`interop: the tests with ${names.join(" ")} are skipped: ${reason}`);
    return undefined;
  }
}

function unpack(names: readonly string[], scratch: string): UnpackedPackages {
  mkdirSync(scratch, { recursive: true });
  const run = (program: string, ...args: string[]) =>
    execFileSync(program, args, { cwd: scratch, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  const listed = run("apt-get", "install", "--print-uris", "--yes", "-qq", "--no-install-recommends", ...names);
  // '<where>' <name>_<version>_<architecture>.deb <size> <checksum>
  const missing = Array.from(listed.matchAll(/^'[^']*' ([^_\s]+)_/gmu), ([, name = ""]) => name);
  run("apt-get", "download", ...missing);
  const root = join(scratch, "root");
  for (const file of readdirSync(scratch).filter((each) => each.endsWith(".deb"))) run("dpkg", "-x", file, root);
  const triplet = `${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`;
  const folders = [join(root, "usr/lib", triplet), join(root, "lib", triplet)];
  return { root, libraries: folders.join(":") };
}
