import { access, constants, lstat, open, readdir, readFile, realpath, stat } from "node:fs/promises";

/**
 * Looking round in other people's folders: whatever can't be read, for any reason, is `undefined` or empty, since an
 * inventory that is not to be had is no fault of the run.
 */
export async function orUndefined<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch {
    return undefined;
  }
}

export const readText = (path: string): Promise<string | undefined> => orUndefined(readFile(path, "utf8"));

export const listFolder = async (path: string): Promise<readonly string[]> => (await orUndefined(readdir(path))) ?? [];

export const resolveLinks = (path: string): Promise<string | undefined> => orUndefined(realpath(path));

export const ownerOf = async (path: string): Promise<number | undefined> => (await orUndefined(lstat(path)))?.uid;

export const isFolder = async (path: string): Promise<boolean> =>
  (await orUndefined(stat(path)))?.isDirectory() ?? false;

/** Whether this is a file that may be run. */
export async function isProgram(path: string): Promise<boolean> {
  if ((await orUndefined(stat(path)))?.isFile() !== true) return false;
  return (await orUndefined(access(path, constants.X_OK).then(() => true))) ?? false;
}

/** The first `bytes` of a regular file, as UTF-8. */
export async function readStart(path: string, bytes: number): Promise<string | undefined> {
  // Non-blocking, so that opening a FIFO of that name does not hang.
  const file = await orUndefined(open(path, constants.O_RDONLY | constants.O_NONBLOCK));
  if (file === undefined) return undefined;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, 0);
    return buffer.toString("utf8", 0, bytesRead);
  } catch {
    return undefined;
  } finally {
    await orUndefined(file.close());
  }
}
