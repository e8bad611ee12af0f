import { userName as userNameOf } from "../provenance/user.ts";
import { environment } from "./environment.ts";

/** `mlflow.user` of this program's runs, as MLflow finds it. */
export const userName = (): string => userNameOf(environment);
