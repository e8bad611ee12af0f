import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

export interface MlflowVersion {
  /** Folder below `.venv`. */
  readonly name: string;
  readonly version: string;
  readonly requirements: readonly string[];
}

/** The oldest 3.x line and the newest that pip installs; up to 3.8.1 MLflow cannot import SQLAlchemy 2.1. */
export const mlflowVersions: readonly MlflowVersion[] = [
  { name: "mlflow-3.1.4", version: "3.1.4", requirements: ["mlflow==3.1.4", "sqlalchemy<2.1"] },
  { name: "mlflow-3.17.2", version: "3.17.2", requirements: ["mlflow==3.17.2", "psutil==7.2.2"] },
];

export const newestMlflow: MlflowVersion = mlflowVersions.at(-1) as MlflowVersion;

/** Its clients run inside `track run` all the same, though it cannot open a database of today. */
const oldestClient: MlflowVersion = {
  name: "mlflow-2.22.5",
  version: "2.22.5",
  requirements: ["mlflow==2.22.5", "sqlalchemy<2.1"],
};

/** Those whose clients run inside `track run`; each brings scikit-learn. */
export const clientVersions: readonly MlflowVersion[] = [oldestClient, ...mlflowVersions];

/** The newest, with TensorFlow and Keras; for the full tests alone. */
export const tensorflowMlflow: MlflowVersion = {
  name: "mlflow-3.17.2-tensorflow",
  version: "3.17.2",
  requirements: ["mlflow==3.17.2", "tensorflow-cpu==2.21.0", "tensorboard==2.21.0"],
};

/** The newest, with PyTorch and what logs to MLflow from there (6 GB, most of them CUDA's); for the full tests alone. */
export const torchMlflow: MlflowVersion = {
  name: "mlflow-3.17.2-torch",
  version: "3.17.2",
  requirements: ["mlflow==3.17.2", "torch==2.15.0", "lightning==2.6.6", "transformers==5.24.0", "accelerate==1.15.0"],
};

/** What global-setup installs. */
export const neededVersions: readonly MlflowVersion[] =
  process.env["TRACK_TEST_FULL"] === undefined ? clientVersions : [...clientVersions, tensorflowMlflow, torchMlflow];

const root = resolve(import.meta.dirname, "../..");

/** A program of that version's virtual environment, such as `python` or `mlflow`. */
export const venvProgram = (version: MlflowVersion, program: string): string =>
  join(root, ".venv", version.name, "bin", program);

/** False only where the installation was impossible, which global-setup has said; never under CI. */
export const isInstalled = (version: MlflowVersion): boolean =>
  existsSync(join(root, ".venv", version.name, "track-complete"));
