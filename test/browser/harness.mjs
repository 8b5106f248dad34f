// What all browser tests share: worlds, guarded pages, screenshots.
import assert from 'node:assert/strict';
import {createRequire} from 'node:module';
import {readFileSync} from 'node:fs';
import {after} from 'node:test';
import {chromium} from 'playwright-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const control = process.env.MOORING_TEST_CONTROL;

async function post(path, body) {
  const res = await fetch(control + path, {method: 'POST', body});
  const text = await res.text();
  assert.equal(res.status, 200, `${path}: ${text}`);
  return text ? JSON.parse(text) : null;
}

/** A server on a new data directory, and a storage beside it. */
export async function startWorld(...args) {
  const world = await post('/start', JSON.stringify({args}));
  const order = (what, o = {}) => post(`/${world.id}/${what}`, JSON.stringify(o));
  return Object.assign(world, {
    put: (key, content) => order('put', typeof content === 'number' ? {key, size: content} : {key, content}),
    remove: key => order('remove', {key}),
    fault: (action, o) => order('fault', {action, ...o}),
    clear: () => order('clear'),
    connections: count => order('connections', {count}),
    receive: status => order('receive', {status}),
    hook: `${control}/${world.id}/hook`,
    api: (method, path, body) => callAPI(world, method, path, body),
    /** The provider_config of the storage. */
    config: (o = {}) => ({region: 'us-east-1', endpoint_url: world.endpoint,
      credentials: {type: 'access_key', access_key_id: world.accessKey, secret_access_key: world.secret, ...o}}),
  });
}

async function callAPI(world, method, path, body) {
  const res = await fetch(world.url + path, {
    method, headers: {Authorization: `Bearer ${world.key}`, 'Content-Type': 'application/json'}, body: body && JSON.stringify(body),
  });
  const text = await res.text();
  assert.ok(res.ok, `${method} ${path}: ${res.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

/** Waits until f gives something true, and returns that. */
export async function until(what, f, patience = 60_000) {
  for (const end = Date.now() + patience; Date.now() < end;) {
    const found = await f();
    if (found) return found;
    await new Promise(done => setTimeout(done, 100));
  }
  assert.fail(`waited in vain until ${what}`);
}

const browser = await chromium.launch({
  executablePath: process.env.MOORING_TEST_CHROMIUM,
  headless: true,
  proxy: {server: process.env.MOORING_TEST_PROXY, bypass: '127.0.0.1'},
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--hide-scrollbars'],
});
after(() => browser.close());

/**
 * A browser window of its own, with its own cookies. What a page must never do is gathered in `faults`: errors on the
 * console, requests that leave this machine, failed requests. `done` ends the window and fails if there were any.
 */
export async function openWindow({width = 1280, height = 800, dark = false, expect = []} = {}) {
  const context = await browser.newContext({viewport: {width, height}, colorScheme: dark ? 'dark' : 'light', locale: 'en-GB', timezoneId: 'UTC', reducedMotion: 'reduce', acceptDownloads: true});
  context.setDefaultTimeout(30_000);
  const faults = [];
  const note = text => { if (!expect.some(e => e.test(text))) faults.push(text); };
  context.on('page', page => {
    page.on('console', m => { if (m.type() === 'error' || m.type() === 'warning') note(`console: ${m.text()} (${m.location().url})`); });
    page.on('pageerror', e => note(`script: ${e.message}`));
    page.on('crash', () => note('the page crashed'));
  });
  context.on('request', r => {
    const {protocol, hostname} = new URL(r.url());
    if (!['data:', 'blob:'].includes(protocol) && hostname !== '127.0.0.1') note(`left the machine: ${r.url()}`);
  });
  const page = await context.newPage();
  return {
    page, context, faults,
    /** Fails on any serious violation that axe-core finds on the page as it is. */
    async accessible(what) {
      const serious = (await violations(page)).filter(v => ['serious', 'critical'].includes(v.impact));
      assert.deepEqual(serious.map(v => `${what}: ${v.id}: ${v.help}: ${v.nodes.map(n => n.html).slice(0, 3).join(' | ')}`), []);
    },
    /** Fails if the page has to be scrolled sideways. */
    async fits(what) {
      const [content, window, wide] = await page.evaluate(() => {
        const {scrollWidth, clientWidth} = document.documentElement;
        const out = [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > clientWidth && !e.closest('nav, thead, .unseen'));
        return [scrollWidth, clientWidth, out.slice(-3).map(e => e.outerHTML.slice(0, 150))];
      });
      assert.ok(content <= window, `${what} is ${content} wide in a window of ${window}: ${wide.join(' | ')}`);
    },
    async done() {
      await context.close();
      assert.deepEqual(faults, []);
    },
  };
}

/** Signs a window in with the admin key. */
export async function signIn(w, world, key = world.key) {
  await w.page.goto(world.url + '/sign-in');
  await w.page.getByLabel('API key').fill(key);
  await w.page.getByRole('button', {name: 'Sign in'}).click();
  await w.page.waitForURL(url => !url.pathname.startsWith('/sign-in'));
}

/** A connection, a bucket and a sync, made over the API. */
export async function startJob(world, {name = 'Harbour archive', bucket = 'media', path = `${world.bucket}/raw`, more = {}} = {}) {
  const connection = await world.api('POST', '/v1/organizations/connections', {name, provider_type: 's3', provider_config: world.config()});
  const made = await world.api('POST', '/v1/buckets', {bucket_name: bucket});
  const sync = await world.api('POST', `/v1/buckets/${made.bucket_id}/syncs`, {connection_id: connection.connection_id, source_path: path, ...more});
  const job = {connection: connection.connection_id, bucket: made.bucket_id, sync: sync.sync_config_id};
  job.url = `${world.url}/buckets/${job.bucket}/syncs/${job.sync}`;
  job.runs = async () => (await world.api('GET', `/v1/buckets/${job.bucket}/syncs/${job.sync}/runs?limit=100`)).results;
  /** Waits for the end of run n, and returns it. */
  job.ended = n => until(`run ${n} has ended`, async () => (await job.runs()).find(r => r.number === n && r.status !== 'IN_PROGRESS'));
  return job;
}

/** Waits until a page that follows a run has seen it end and asked for what that changed. */
export const followed = page => page.locator('[data-live]').waitFor({state: 'detached'});

/** What axe-core finds on a page. It is evaluated rather than inserted: the page's policy allows no other script. */
export async function violations(page) {
  await page.evaluate(axe);
  return (await page.evaluate(() => window.axe.run(document, {resultTypes: ['violations']}))).violations;
}

/** Keeps a screenshot for the README, where they are asked for. */
export async function picture(page, name, options = {}) {
  await post(`/picture/${name}.png`, await page.screenshot({animations: 'disabled', caret: 'hide', ...options}));
}
