"""The peer "flowlogs-reader": its S3 reader over local files.

Usage: main.py INTERFACE ADDRESS FILE... with the interface and the private address of the NAT gateway. It prints one line of JSON.
"""

import json
import os
import sys
import time
from datetime import datetime

from flowlogs_reader import S3FlowLogsReader


class LocalBucket:
    """The three calls that the reader makes of an S3 client, answered from files. They need AWS's names for the folders and for the files."""

    def __init__(self, files):
        prefix = "AWSLogs/123456789012/vpcflowlogs/eu-west-3/2026/03/14/"
        self.files = {f"{prefix}123456789012_vpcflowlogs_eu-west-3_fl-1_20260314T0925Z_{i:08x}.log.gz": f for i, f in enumerate(files)}

    def list_objects_v2(self, Bucket, Delimiter, Prefix):
        folders = {Prefix + key[len(Prefix) :].split("/")[0] + "/" for key in self.files if key.startswith(Prefix)}
        return {"CommonPrefixes": [{"Prefix": f} for f in sorted(folders)]}

    def get_paginator(self, operation):
        return self

    def paginate(self, Bucket, Prefix):
        yield {"Contents": [{"Key": key} for key in self.files if key.startswith(Prefix)]}

    def get_object(self, Bucket, Key):
        path = self.files[Key]
        return {"Body": open(path, "rb"), "ContentLength": os.path.getsize(path)}


def main():
    eni, address, *files = sys.argv[1:]
    begin = time.perf_counter()
    reader = S3FlowLogsReader(
        "bucket", boto_client=LocalBucket(files), start_time=datetime(2026, 3, 14), end_time=datetime(2026, 3, 15), raise_on_error=True
    )
    records = nat_bytes = 0
    for r in reader:
        records += 1
        if r.interface_id != eni or r.action != "ACCEPT" or r.log_status != "OK":
            continue
        if r.dstaddr == address and r.pkt_dstaddr != address or r.srcaddr == address and r.pkt_srcaddr != address:
            nat_bytes += r.bytes
    print(json.dumps({"seconds": time.perf_counter() - begin, "records": records, "nat_bytes": nat_bytes}))


main()
