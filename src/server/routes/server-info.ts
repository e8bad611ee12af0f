import type { MessageRoutes } from "../route.ts";

/** Below `/api/3.0/mlflow`. */
export const serverInfoRoutes: MessageRoutes = {
  "GET /server-info": () =>
    Promise.resolve({
      store_type: "SqlStore",
      workspaces_enabled: false,
      trace_archival_enabled: false,
      multipart_uploads_enabled: false,
      multipart_downloads_enabled: false,
      presigned_upload_run_id_supported: true,
      presigned_upload_model_id_supported: true,
      features_enabled: { gateway: false },
    }),
};
