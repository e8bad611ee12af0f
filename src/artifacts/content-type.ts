/** Kinds that a browser shows as they are, by the end of the name; MLflow's own texts are text as well. */
const types: Readonly<Record<string, string>> = {
  html: "text/html",
  json: "application/json",
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  svg: "image/svg+xml",
  pdf: "application/pdf",
  csv: "text/csv",
  zip: "application/zip",
  gz: "application/gzip",
};

const texts = new Set([
  "txt",
  "log",
  "md",
  "py",
  "sh",
  "yaml",
  "yml",
  "toml",
  "cfg",
  "ini",
  "conf",
  "err",
  "patch",
  "tsv",
]);

/** The media type that an upload names. */
export function contentTypeOf(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const extension = name.slice(name.lastIndexOf(".") + 1).toLowerCase();
  if (name === "MLmodel" || name === "MLproject" || texts.has(extension)) return "text/plain";
  return types[extension] ?? "application/octet-stream";
}
