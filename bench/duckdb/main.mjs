// The peer "DuckDB": one query over the files with one thread, its own CSV reader and inflater.
//
// Usage: node main.mjs auto|typed INTERFACE ADDRESS FILE... with the interface and the private address of the NAT gateway. It prints one line of JSON. With
// auto, DuckDB finds out the types of the columns itself, as it does when nobody says more than the delimiter; with typed it is told them, which is faster.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { createGunzip } from 'node:zlib';

import { DuckDBInstance } from '@duckdb/node-api';

const [mode, eni, address, ...files] = process.argv.slice(2);
const quote = (text) => `'${text.replaceAll("'", "''")}'`;
const numbers = ['version', 'srcport', 'dstport', 'protocol', 'packets', 'bytes', 'start', 'end', 'tcp-flags', 'traffic-path', 'encryption-status'];

async function header(file) {
  for await (const line of createInterface({ input: createReadStream(file).pipe(createGunzip()) })) return line.split(' ');
}

async function options() {
  if (mode === 'auto') return '';
  const columns = (await header(files[0])).map((name) => `${quote(name)}: '${numbers.includes(name) ? 'BIGINT' : 'VARCHAR'}'`);
  return `, auto_detect = false, quote = '', escape = '', columns = {${columns.join(', ')}}`;
}

const instance = await DuckDBInstance.create(':memory:');
const connection = await instance.connect();
await connection.run('SET threads TO 1');

const query = `
  SELECT sum(rows)::BIGINT AS records, sum(bytes)::BIGINT AS nat_bytes FROM (
    SELECT CASE WHEN forwarded THEN remote END AS remote, count(*) AS rows, sum("bytes") FILTER (forwarded) AS bytes FROM (
      SELECT "bytes", CASE WHEN dstaddr = ${quote(address)} THEN "pkt-dstaddr" ELSE "pkt-srcaddr" END AS remote,
        "interface-id" = ${quote(eni)} AND action = 'ACCEPT' AND "log-status" = 'OK'
          AND (dstaddr = ${quote(address)} AND "pkt-dstaddr" <> dstaddr OR srcaddr = ${quote(address)} AND "pkt-srcaddr" <> srcaddr) AS forwarded
      FROM read_csv([${files.map(quote).join(', ')}], delim = ' ', header = true, nullstr = '-'${await options()})
    ) GROUP BY 1
  )`;

const begin = process.hrtime.bigint();
const rows = await (await connection.runAndReadAll(query)).getRowObjects();
const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
console.log(JSON.stringify({ seconds, records: Number(rows[0].records), nat_bytes: Number(rows[0].nat_bytes) }));
