/** The revision that MLflow 3.0.0 and 3.1.0 create, and every later 3.x opens and migrates forward by itself. */
export const createdRevision = "6953534de441";
