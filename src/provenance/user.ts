import { readFileSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { join } from "node:path";

/**
 * `mlflow.user` as MLflow finds it: the tracking user of the environment or of ~/.mlflow/credentials, else the login name
 * (Python's `getpass.getuser`), else "unknown", which MLflow's own store writes. Never throws.
 */
export function userName(env: Readonly<Record<string, string | undefined>>): string {
  const given = env["MLFLOW_TRACKING_USERNAME"] || credentialsUser(env["HOME"]);
  return given || env["LOGNAME"] || env["USER"] || env["LNAME"] || env["USERNAME"] || accountName();
}

function credentialsUser(home: string | undefined): string | undefined {
  try {
    const text = readFileSync(join(home || homedir(), ".mlflow", "credentials"), "utf8");
    const section = /^\s*\[mlflow\]([^[]*)/mu.exec(text)?.[1] ?? "";
    return /^\s*mlflow_tracking_username\s*[=:]\s*(.*?)\s*$/mu.exec(section)?.[1];
  } catch {
    // Any fault (mostly that there is no such file) means the same: it names nobody.
    return undefined;
  }
}

function accountName(): string {
  try {
    return userInfo().username || "unknown";
  } catch {
    // A user id without an account, as containers have them.
    return "unknown";
  }
}
