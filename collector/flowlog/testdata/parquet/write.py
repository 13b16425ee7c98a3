"""Writes the golden Parquet files of this folder with pyarrow, which shares no code with the reader or with the writer of the other tests.

    pip install pyarrow==26.0.1 && python write.py

Each file holds the rows of rows.log, its twin as text, in another order of columns.
"""

import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).parent
SHORT = {"version", "srcport", "dstport", "protocol", "tcp_flags", "traffic_path"}
LONG = {"packets", "bytes", "start", "end"}


def kind(name, types):
    if types == "strings" or name not in SHORT | LONG:
        return pa.string()
    if types == "unsigned":
        return pa.uint32() if name != "start" else pa.uint64()
    if types == "longs":
        return pa.int64()
    return pa.int32() if name in SHORT else pa.int64()


def column(name, values, types, dashes):
    t = kind(name, types)
    if pa.types.is_integer(t):
        return pa.array([None if v == "-" else int(v) for v in values], t)
    return pa.array([v if v != "-" or dashes else None for v in values], t)


def table(types="aws", dashes=False, large=False):
    lines = [line.split() for line in (HERE / "rows.log").read_text().splitlines()]
    names = [n.replace("-", "_") for n in lines[0]]
    columns = {n: column(n, [row[i] for row in lines[1:]], types, dashes) for i, n in enumerate(names)}
    if large:
        columns = {n: c.cast(pa.large_string()) if pa.types.is_string(c.type) else c for n, c in columns.items()}
    order = sorted(columns, key=lambda n: n[::-1])
    return pa.table({n: columns[n] for n in order})


def write(name, of, **options):
    pq.write_table(of, HERE / (name + ".parquet"), store_schema=False, **options)


write("aws_gzip", table(), compression="gzip")
write("snappy_v2", table(), compression="snappy", data_page_version="2.0", row_group_size=15)
write("zstd_strings", table("strings", dashes=True), compression="zstd", row_group_size=16)
write("brotli_longs", table("longs"), compression="brotli", use_dictionary=False)
write("lz4_pages", table(), compression="lz4", data_page_size=64, write_batch_size=3, use_dictionary=["srcaddr", "bytes"], dictionary_pagesize_limit=40)
write("plain_unsigned", table("unsigned"), compression="none", use_dictionary=False, write_page_checksum=True, write_page_index=True)
delta = table()
write(
    "delta_v2",
    delta,
    compression="zstd",
    use_dictionary=False,
    data_page_version="2.0",
    version="2.6",
    column_encoding={
        n: "DELTA_BINARY_PACKED" if pa.types.is_integer(t) else ("DELTA_BYTE_ARRAY" if i % 2 else "DELTA_LENGTH_BYTE_ARRAY")
        for i, (n, t) in enumerate(zip(delta.column_names, delta.schema.types))
    },
)
write(
    "split",
    table(),
    compression="snappy",
    use_dictionary=False,
    column_encoding={n: "BYTE_STREAM_SPLIT" for n in SHORT | LONG if n in delta.column_names},
)
write("empty", table().slice(0, 0), compression="gzip")
