import { describeIf, testIf } from "../only-if.ts";
import { isInstalled, type MlflowVersion } from "./mlflow-versions.ts";

const missing = ({ name }: MlflowVersion): string => `.venv/${name} could not be installed`;

/** A group of tests that needs that version. */
export const describeWith = (version: MlflowVersion): ReturnType<typeof describeIf> =>
  describeIf(isInstalled(version), missing(version));

/** A test that needs that version. */
export const testWith = (version: MlflowVersion): ReturnType<typeof testIf> =>
  testIf(isInstalled(version), missing(version));
