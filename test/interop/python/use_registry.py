"""Reads what is in a database's model registry, then changes it, through plain MLflow; prints what it read as JSON."""

import json
import sys

from mlflow import MlflowClient

client = MlflowClient(sys.argv[1], sys.argv[1])
model = client.get_registered_model("ours")
version = client.get_model_version("ours", "1")
seen = {
    "description": model.description,
    "tags": dict(model.tags),
    "aliases": {alias: int(number) for alias, number in dict(model.aliases).items()},
    "version": [version.source, version.description, dict(version.tags), list(version.aliases), version.current_stage],
    "place": client.get_model_version_download_uri("ours", "1"),
    "found": sorted(int(v.version) for v in client.search_model_versions("name = 'ours'")),
    "models": [m.name for m in client.search_registered_models()],
}
client.set_registered_model_tag("ours", "tier", "theirs")
client.set_model_version_tag("ours", "1", "checked", "theirs")
client.set_registered_model_alias("ours", "best", "3")
client.create_registered_model("theirs", tags={"a": "b"})
client.create_model_version("theirs", "s3://bucket/theirs")
print("SEEN " + json.dumps(seen))
