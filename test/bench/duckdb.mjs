/*
 * duckdb.mjs: DuckDB, told by lines of JSON what to do and how long that took.
 *
 * Each line has "sql", which is run; the answer has the seconds and those of
 * processors, or an "error".
 */
import { DuckDBInstance } from '@duckdb/node-api';
import { createInterface } from 'node:readline';

const connection = await (await DuckDBInstance.create(':memory:')).connect();

for await (const line of createInterface({ input: process.stdin })) {
	let answer;
	try {
		const cpu = process.cpuUsage();
		const began = performance.now();
		await connection.run(JSON.parse(line).sql);
		const wall = (performance.now() - began) / 1000;
		const { user, system } = process.cpuUsage(cpu);
		answer = { wall, cpu: (user + system) / 1e6 };
	} catch (error) {
		answer = { error: String(error) };
	}
	console.log(JSON.stringify(answer));
}
