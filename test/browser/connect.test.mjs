// From nothing to a first sync, by forms: what a person does on the first day.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {openWindow, picture, signIn, startWorld, until} from './harness.mjs';

for (const [width, dark] of [[1280, false], [360, true]]) {
  test(`connected with a wrong, then the right secret, browsed, previewed and synced at ${width} px`, async () => {
    const world = await startWorld();
    await world.put('raw/a.txt', 'first');
    await world.put('raw/notes/b.txt', 'second');
    await world.put('other/c.txt', 'third');
    const w = await openWindow({width, dark, expect: [/status of 4\d\d/]});
    const {page} = w;
    const shot = name => width === 1280 ? picture(page, name) : undefined;
    await signIn(w, world);
    await page.getByRole('link', {name: /New connection|Connect a storage/}).first().click();
    await w.accessible('providers');
    await w.fits('providers');
    await page.getByRole('link', {name: /Amazon S3/}).click();
    await page.locator('#name').fill('Harbour archive');
    await page.locator('#region').fill('us-east-1');
    await page.locator('[id="credentials.access_key_id"]').fill(world.accessKey);
    const wrong = 'wrong'.repeat(8);
    await page.locator('[id="credentials.secret_access_key"]').fill(wrong);
    if (!(await page.locator('#endpoint_url').isVisible())) await page.locator('details', {has: page.locator('#endpoint_url')}).locator('summary').click();
    await page.locator('#endpoint_url').fill(world.endpoint);
    await w.accessible('a form');
    await w.fits('a form');
    await page.getByRole('button', {name: "Test and connect"}).first().click();
    await page.locator('#problem .note').waitFor();
    assert.match(await page.locator('#problem').textContent(), /SignatureDoesNotMatch/);
    assert.equal(await page.locator('#name').inputValue(), 'Harbour archive');
    assert.ok(!(await page.evaluate(() => document.documentElement.outerHTML)).includes(wrong), 'the page holds what was typed');
    await w.accessible('a refused secret');
    await shot('refused-secret');
    await page.locator('[id="credentials.secret_access_key"]').fill(world.secret);
    await page.getByRole('button', {name: "Test and connect"}).first().click();
    await page.getByText('The connection works and is saved.').waitFor();
    assert.ok(!(await page.content()).includes(world.secret), 'the page holds the secret');

    await page.getByRole('link', {name: 'Browse', exact: true}).click();
    await page.locator('main table a', {hasText: world.bucket}).click();
    await page.locator('main table a', {hasText: 'raw'}).click();
    await page.getByText('a.txt').waitFor();
    await w.accessible('the source');
    await w.fits('the source');
    await shot('browse');
    await page.getByRole('link', {name: 'Sync this'}).click();
    await page.locator('#bucket_name').fill('media');
    await page.getByRole('button', {name: 'Make the bucket'}).click();
    await page.locator('#bucket option', {hasText: 'media'}).waitFor({state: 'attached'});
    await w.accessible('a new sync');
    await page.getByRole('button', {name: 'Preview'}).click();
    await page.getByRole('heading', {name: 'What it would do now'}).waitFor();
    assert.match(await page.locator('#found').textContent(), /To bring\s*2/);
    await w.accessible('a preview');
    await w.fits('a preview');
    await shot('preview');
    await page.getByRole('button', {name: 'Create the sync'}).click();
    await page.waitForURL(/\/buckets\/.*\/syncs\//);
    await until('the run has ended', async () => /2 discovered = 2 synced/.test(await page.locator('#progress').textContent()));
    await w.done();
  });
}
