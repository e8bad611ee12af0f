import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

/** Hands `use` the path of a temporary file with that content, named as `artifactFile` is; gone afterwards. */
export async function withTextFile(
  artifactFile: string,
  content: string | Uint8Array,
  use: (path: string) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "track-text-"));
  try {
    const path = join(folder, basename(artifactFile));
    await writeFile(path, content, { mode: 0o600 });
    await use(path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
