// The job without a mouse: focus is where it should be, and always to be seen.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {followed, openWindow, signIn, startJob, startWorld, until} from './harness.mjs';

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

test('what is live takes away neither focus, selection nor what is typed', async () => {
  const world = await startWorld();
  for (const n of ['1', '2', '3']) await world.put(`raw/${n}.bin`, 1000);
  const hold = key => world.fault('hold', {operation: 'GetObject', key});
  await hold('raw/3.bin');
  const job = await startJob(world);
  const w = await openWindow();
  await signIn(w, world);
  const {page} = w;
  await page.goto(job.url + '?done=triggered');
  await page.getByText('A run begins as soon as a worker is free.').first().waitFor();
  const progress = page.locator('#progress');
  await progress.getByText('Running').waitFor();
  await until('two files have arrived', async () => /1, 0 wait/.test(await progress.textContent()));

  // Parts that come leave a selection alone, and go on when it is gone.
  const chosen = () => page.evaluate(() => document.getSelection().toString());
  await progress.locator('dt', {hasText: 'Arrived'}).selectText();
  assert.equal(await chosen(), 'Arrived');
  const streamed = await page.evaluate(url => new Promise(done => { // a stream of one's own: when it has brought a second part, so has the page's
    const source = new EventSource(url + '/events');
    let parts = 0;
    source.addEventListener('part', () => { if (++parts === 3) { source.close(); done(parts); } });
  }), job.url);
  assert.equal(streamed, 3);
  assert.equal(await chosen(), 'Arrived');

  await page.getByText('Pause', {exact: true}).first().click();
  await page.getByLabel('Reason').fill('half a sen');
  await page.locator('#run').focus();
  await progress.locator('dt', {hasText: 'Arrived'}).selectText();
  await world.clear();
  await job.ended(1);
  assert.equal(await chosen(), 'Arrived');
  await page.evaluate(() => document.getSelection().empty());
  await followed(page);
  await progress.getByText('Completed').waitFor();
  await page.locator('section', {has: page.locator('#runs')}).getByRole('cell', {name: 'Completed'}).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), 'run');
  assert.equal(await page.getByLabel('Reason').inputValue(), 'half a sen');

  assert.match(await page.locator('#notice').textContent(), /A run begins/);
  await page.reload();
  assert.equal((await page.locator('#notice').textContent()).trim(), '');
  await w.done();
});
