// The peer "DuckDB": one query over the files with one thread, its own CSV reader and inflater.
//
// Usage: node main.mjs INTERFACE ADDRESS FILE... with the interface and the private address of the NAT gateway. It prints one line of JSON.
import { DuckDBInstance } from '@duckdb/node-api';

const [eni, address, ...files] = process.argv.slice(2);
const quote = (text) => `'${text.replaceAll("'", "''")}'`;

const instance = await DuckDBInstance.create(':memory:');
const connection = await instance.connect();
await connection.run('SET threads TO 1');

const query = `
  SELECT sum(rows)::BIGINT AS records, sum(bytes)::BIGINT AS nat_bytes FROM (
    SELECT remote, count(*) AS rows, sum("bytes") FILTER (forwarded) AS bytes FROM (
      SELECT "bytes", CASE WHEN dstaddr = ${quote(address)} THEN "pkt-dstaddr" ELSE "pkt-srcaddr" END AS remote,
        "interface-id" = ${quote(eni)} AND action = 'ACCEPT' AND "log-status" = 'OK'
          AND (dstaddr = ${quote(address)} AND "pkt-dstaddr" <> dstaddr OR srcaddr = ${quote(address)} AND "pkt-srcaddr" <> srcaddr) AS forwarded
      FROM read_csv([${files.map(quote).join(', ')}], delim = ' ', header = true, nullstr = '-')
    ) GROUP BY remote
  )`;

const begin = process.hrtime.bigint();
const rows = await (await connection.runAndReadAll(query)).getRowObjects();
const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
console.log(JSON.stringify({ seconds, records: Number(rows[0].records), nat_bytes: Number(rows[0].nat_bytes) }));
