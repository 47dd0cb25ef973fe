/*
 * draw.mjs - draws the dashboards from real query results with Grafana's own
 * components in headless Chromium:
 *
 *	node draw.mjs DASHBOARDS PICTURES [LANGUAGE/NAME...]
 *
 * psql connects as the environment says.  What package.json lists must be
 * installed, and CHROMIUM name a browser.
 */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import react from '@vitejs/plugin-react';
import UPNG from 'upng-js';
import { build } from 'vite';
import { ask, expand, rangeOf, run } from './query.mjs';

const [dashboards, pictures, ...wanted] = process.argv.slice(2);
const here = fileURLToPath(new URL('.', import.meta.url));
const site = join(pictures, '.site');
const width = 1600;

/* What the page needs of a dashboard, with everything chosen. */
const dataOf = (lang, name) => {
	const dashboard = JSON.parse(readFileSync(join(dashboards, lang, `${name}.json`), 'utf8'));
	const range = rangeOf(dashboard.time);
	const list = dashboard.templating.list;
	const values = Object.fromEntries(list.map((v) => [v.name, v.multi ? null : v.name === 'currency' ? 'EUR' : v.current.value]));
	return {
		width, range, currency: 'EUR', theme: 'light', title: dashboard.title, zone: ask("SELECT kpi_setting('time_zone') AS zone")[0].zone,
		variables: list.filter((v) => v.hide !== 2).map((v) => ({ label: v.label, value: v.multi ? { en: 'All', de: 'Alle' }[lang] : v.current.text })),
		panels: dashboard.panels.map((p) => ({ ...p, results: run((p.targets ?? []).map((t) => expand(t.rawSql, values, range))) })),
	};
};

const secondsSince = (begun) => `${((Date.now() - begun) / 1000).toFixed(1)} s`;
const start = Date.now();
await build({
	root: join(here, 'pictures'), logLevel: 'error', plugins: [react()], base: './', resolve: { preserveSymlinks: true },
	build: { outDir: site, emptyOutDir: true, target: 'esnext', minify: false, chunkSizeWarningLimit: 1e5 },
});
console.log(`built the page: ${secondsSince(start)}`);

/* A dashboard has few colours: a palette of them makes a third of the size. */
const reduced = (png) => {
	const image = UPNG.decode(png);
	return Buffer.from(UPNG.encode(UPNG.toRGBA8(image), image.width, image.height, 256));
};

let data = '';
const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const server = createServer((request, response) => {
	const path = new URL(request.url, 'http://localhost').pathname;
	try {
		const body = path === '/data.json' ? data : readFileSync(join(site, path === '/' ? 'index.html' : path));
		response.writeHead(200, { 'content-type': types[extname(path === '/' ? 'index.html' : path)] ?? 'application/json' });
		response.end(body);
	} catch {
		response.writeHead(404);
		response.end();
	}
}).listen(0, '127.0.0.1');
await new Promise((resolve) => server.once('listening', resolve));

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] });
const all = ['en', 'de'].flatMap((lang) => readdirSync(join(dashboards, lang)).filter((f) => f.endsWith('.json')).map((f) => `${lang}/${f.slice(0, -5)}`));
const names = wanted.length > 0 ? wanted : all;
for (const [i, name] of names.entries()) {
	const lang = name.split('/')[0], begun = Date.now();
	data = JSON.stringify(dataOf(...name.split('/')));
	/* High enough for all of it: a table that is not in view is not drawn. */
	const page = await browser.newPage({ viewport: { width, height: 3000 }, locale: lang === 'de' ? 'de-DE' : 'en-US' });
	page.setDefaultTimeout(300000); /* the machine may have other things to do */
	page.on('pageerror', (e) => console.error(`${name}: ${e.message}`));
	await page.goto(`http://127.0.0.1:${server.address().port}/`);
	await page.waitForSelector('#dashboard');
	await page.waitForLoadState('networkidle');
	await page.waitForTimeout(1500);
	mkdirSync(join(pictures, lang), { recursive: true });
	writeFileSync(join(pictures, `${name}.png`), reduced(await page.locator('#dashboard').screenshot()));
	console.log(`drawn ${i + 1} of ${names.length}, ${name}.png: ${secondsSince(begun)}`);
	await page.close();
}
await browser.close();
server.close();
