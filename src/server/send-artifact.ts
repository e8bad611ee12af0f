import type { ServerResponse } from "node:http";
import { basename, extname } from "node:path";
import { pipeline } from "node:stream/promises";
import type { ArtifactContent } from "../artifacts/streamed-artifacts.ts";

/** Streams a file; never shown by a browser on this server's own origin. */
export async function sendArtifact(response: ServerResponse, file: string, content: ArtifactContent): Promise<void> {
  response.writeHead(200, {
    "Content-Type": contentTypeOf(file),
    "Content-Length": content.size,
    "Content-Disposition": dispositionOf(basename(file)),
    "X-Content-Type-Options": "nosniff",
  });
  try {
    await pipeline(content.stream, response);
  } catch (error) {
    // The client went away, or the file did; the status line is out already, so the cut connection says it.
    if (!(error instanceof Error)) throw error;
    response.destroy();
  }
}

/** mlflow/utils/mime_type_utils.py. */
const textExtensions = new Set(
  "txt log err cfg conf cnf cf ini properties prop hocon toml yaml yml xml json js py py3 csv tsv md rst ipynb MLmodel MLproject".split(
    " ",
  ),
);
const otherTypes: Readonly<Record<string, string>> = {
  html: "text/html",
  htm: "text/html",
  css: "text/css",
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  svg: "image/svg+xml",
  webp: "image/webp",
  pdf: "application/pdf",
  zip: "application/zip",
  gz: "application/gzip",
  tar: "application/x-tar",
  mp4: "video/mp4",
  wav: "audio/x-wav",
  mp3: "audio/mpeg",
};

function contentTypeOf(file: string): string {
  const extension = extname(file).slice(1) || basename(file);
  if (textExtensions.has(extension)) return "text/plain";
  return otherTypes[extension.toLowerCase()] ?? "application/octet-stream";
}

/** RFC 6266, with an ASCII name for clients that know no other. */
function dispositionOf(name: string): string {
  // oxlint-disable-next-line no-control-regex -- all of ASCII
  const isAscii = /^[\u0020-\u007e]*$/u.test(name);
  if (isAscii) return `attachment; filename=${quoteUnlessToken(name)}`;
  const ascii = name.normalize("NFKD").replaceAll(/[^\u0020-\u007e]/gu, "") || "download";
  const encoded = encodeURIComponent(name).replaceAll(/['()*]/gu, (mark) => `%${mark.charCodeAt(0).toString(16)}`);
  return `attachment; filename=${quoteUnlessToken(ascii)}; filename*=UTF-8''${encoded}`;
}

function quoteUnlessToken(name: string): string {
  return /^[\w!#$%&'*+.^`|~-]+$/u.test(name) ? name : `"${name.replaceAll(/["\\]/gu, String.raw`\$&`)}"`;
}
