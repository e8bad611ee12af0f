import { expect, test } from "vitest";
import { openArtifactRepository } from "../../src/artifacts/open-artifact-repository.ts";

test.each([
  ["/w/mlruns/0/r/artifacts", "/w/mlruns/0/r/artifacts/x"],
  ["/w/per%20cent/a%zz", "/w/per%20cent/a%zz/x"],
  ["file:///w/per%20cent", "/w/per cent/x"],
  ["file:/w/plain", "/w/plain/x"],
  ["./mlruns/0", `${process.cwd()}/mlruns/0/x`],
])("%s is a folder", (uri, path) => {
  expect(openArtifactRepository(uri).localPath?.("x")).toBe(path);
});

test.each([
  ["s3://bucket/0/r/artifacts", "NOT_IMPLEMENTED", "s3:"],
  ["mlflow-artifacts:/0/r/artifacts", "INVALID_PARAMETER_VALUE", "needs a tracking server"],
  ["https://host/elsewhere", "INVALID_PARAMETER_VALUE", "MLflow's artifact proxy"],
  ["file://elsewhere/w", "INVALID_PARAMETER_VALUE", "file://elsewhere/w"],
  ["file:///w/%zz", "INVALID_PARAMETER_VALUE", "file:///w/%zz"],
])("%s is refused as %s, naming %s", (uri, errorCode, named) => {
  expect(() => openArtifactRepository(uri)).toThrow(
    expect.objectContaining({ errorCode, message: expect.stringContaining(named) }),
  );
});
