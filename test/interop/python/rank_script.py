"""One rank, of whatever launcher: says who it is, waits for the others, and may fail: `rank_script.py [--failing <rank>]`."""
import glob
import os
import sys
import time

names = ["OMPI_COMM_WORLD_RANK", "SLURM_PROCID"]
rank = next(int(os.environ[name]) for name in names if name in os.environ)
job = os.environ.get("PMIX_NAMESPACE") or os.environ["SLURM_JOB_ID"]
print(f"rank {rank} of {os.environ['TRACK_RUN_ID']}", flush=True)
with open(os.environ["TRACK_LOG"], "a") as log:
    log.write(f"m{rank}={rank}\n")
open(f"up-{job}-{rank}", "w").close()
while len(glob.glob(f"up-{job}-*")) < 4:
    time.sleep(0.02)
if sys.argv[1:] == ["--failing", str(rank)]:
    sys.exit(5)
