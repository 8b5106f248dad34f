// The job without a mouse: focus is where it should be, and always to be seen.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {followed, openWindow, startJob, startWorld} from './harness.mjs';

/** Presses Tab until what is focused has the name. */
async function tabTo(page, name) {
  for (let i = 0; i < 80; i++) {
    await page.keyboard.press('Tab');
    const now = await page.evaluate(() => {
      const e = document.activeElement;
      const box = e.getBoundingClientRect();
      const label = e.labels?.[0]?.textContent ?? e.getAttribute('aria-label') ?? e.textContent;
      return {name: label.replace(/\s+/g, ' ').trim(), outline: getComputedStyle(e).outlineStyle, seen: box.width > 0 && box.height > 0, body: e === document.body};
    });
    if (!now.body) {
      assert.ok(now.seen, `${now.name} has the focus and is not shown`);
      assert.notEqual(now.outline, 'none', `${now.name} does not show that it has the focus`);
    }
    if (name.test(now.name)) return;
  }
  assert.fail(`no Tab leads to ${name}`);
}

test('signed in, run, and read with the keyboard alone', async () => {
  const world = await startWorld();
  await world.put('raw/a.txt', 'a');
  const job = await startJob(world);
  await job.ended(1);
  const w = await openWindow();
  const {page} = w;
  await page.goto(world.url + '/sign-in');
  await page.waitForFunction(() => document.activeElement.id === 'key'); // of itself, with the first frame after the page is there
  await page.keyboard.type(world.key);
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/connections/);
  await tabTo(page, /^Skip to content$/);
  await page.keyboard.press('Enter');
  await tabTo(page, /^New connection$/);
  await tabTo(page, /^Harbour archive$/);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', {name: 'Harbour archive'}).waitFor();
  await tabTo(page, /^harbour\/raw$/);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', {name: 'harbour/raw'}).waitFor();
  await world.put('raw/b.txt', 'b');
  await tabTo(page, /^Run now$/);
  await page.keyboard.press('Enter');
  await page.getByText('A run begins as soon as a worker is free.').first().waitFor();
  const run = await job.ended(2);
  assert.equal(run.ledger.synced, 1);
  await followed(page);
  await page.goto(`${world.url}/buckets/${job.bucket}`);
  await tabTo(page, /^raw\/b\.txt$/);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', {name: 'raw/b.txt'}).waitFor();
  const arriving = page.waitForEvent('download');
  await tabTo(page, /^Download$/);
  await page.keyboard.press('Enter');
  assert.equal((await arriving).suggestedFilename(), 'b.txt');
  await w.done();
});
