// The main job: a sync from its first byte to its audit trail.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {followed, openWindow, picture, signIn, startJob, startWorld, until} from './harness.mjs';

const sum = text => {
  const [total, ...parts] = text.replace(/[\u202f\s]/g, ' ').match(/(\d[\d ]*) discovered = (\d[\d ]*) synced \+ (\d[\d ]*) unchanged \+ (\d[\d ]*) filtered \+ (\d[\d ]*) duplicate \+ (\d[\d ]*) skipped \+ (\d[\d ]*) failed/).slice(1).map(n => Number(n.replaceAll(' ', '')));
  return {total, parts, adds: parts.reduce((a, b) => a + b, 0)};
};

test('progress is live, and the ledger adds up', async () => {
  const world = await startWorld();
  for (let i = 0; i < 12; i++) await world.put(`raw/photos/${String(i).padStart(2, '0')}.jpg`, 400_000 + i * 1000);
  await world.fault('hold', {operation: 'GetObject', key: 'raw/photos/11.jpg'});
  const w = await openWindow();
  await signIn(w, world);
  const job = await startJob(world);
  await w.page.goto(job.url);
  const progress = w.page.locator('#progress');
  await progress.getByText('Running').waitFor();
  await until('eleven files have arrived', async () => /1, 0 wait/.test(await progress.textContent()));
  assert.match(await progress.textContent(), /12 items/);
  await progress.getByRole('progressbar').waitFor();
  await w.accessible('a running sync');
  await picture(w.page, 'sync-live');
  await world.clear();
  await progress.getByText('Completed').waitFor(); // without a reload of ours
  await w.page.locator('#runs').getByText('Runs').waitFor();
  const ledger = sum(await progress.textContent());
  assert.equal(ledger.total, 12);
  assert.equal(ledger.adds, 12);
  await w.page.reload();
  await w.accessible('a sync that has run');
  await w.done();
});

test('a dead letter says why, and is retried', async () => {
  const world = await startWorld();
  await world.put('raw/good.txt', 'good');
  await world.put('raw/reports/quarter.pdf', 'secret figures');
  await world.fault('denied', {operation: 'GetObject', key: 'raw/reports/quarter.pdf'});
  const job = await startJob(world);
  await job.ended(1);
  const w = await openWindow();
  await signIn(w, world);
  await w.page.goto(job.url);
  const letters = w.page.locator('section', {has: w.page.locator('#letters')});
  await letters.getByRole('link', {name: /permission_denied \(1\)/}).click();
  assert.match(await letters.textContent(), /quarter\.pdf/);
  await w.accessible('dead letters');
  await picture(w.page, 'dead-letters', {fullPage: true});
  await world.clear();
  await letters.getByRole('button', {name: 'Retry all of this kind'}).click();
  await w.page.getByText('tried again with the next run').waitFor();
  await job.ended(2);
  await followed(w.page);
  await w.page.goto(job.url);
  await letters.getByText('nothing that was found is missing').waitFor();
  await w.done();
});

test('what is paused waits, and what is suspended says why', async () => {
  const world = await startWorld();
  await world.put('raw/a.txt', 'a');
  const job = await startJob(world);
  await job.ended(1);
  const w = await openWindow({expect: [/status of 4\d\d/]});
  await signIn(w, world);
  await w.page.goto(job.url);
  await w.page.getByText('Pause', {exact: true}).first().click();
  await w.page.getByLabel('Reason').fill('Moving house');
  await w.page.getByRole('button', {name: 'Pause'}).click();
  await w.page.getByText('The sync is paused.').waitFor();
  assert.match(await w.page.textContent('main'), /Moving house/);
  await w.page.getByRole('button', {name: 'Resume'}).click();
  await w.page.getByText('The sync goes on.').waitFor();

  await world.fault('disabled');
  await w.page.getByRole('link', {name: 'Harbour archive'}).click();
  await w.page.getByRole('button', {name: 'Test now'}).click();
  await w.page.getByText('The test failed').waitFor();
  for (let i = 0; i < 4; i++) await world.api('POST', `/v1/organizations/connections/${job.connection}/test`);
  await w.page.reload();
  await w.page.getByRole('heading', {name: 'Why it is suspended'}).waitFor();
  assert.equal(await w.page.locator('section', {has: w.page.locator('#why')}).locator('tbody tr').count(), 5);
  await w.accessible('a suspended connection');
  await picture(w.page, 'suspended');
  await w.page.goto(job.url);
  await w.page.getByText('It waits for its connection').waitFor();
  await w.page.getByRole('button', {name: 'Run now'}).click();
  await w.page.locator('#problem .note').waitFor(); // it can't run, and says so
  await w.page.getByRole('link', {name: 'Harbour archive'}).first().click();
  await w.page.getByRole('button', {name: 'Test and resume'}).click();
  await w.page.locator('#problem .note').waitFor(); // still refused
  await world.clear();
  await w.page.getByRole('button', {name: 'Test and resume'}).click();
  await w.page.getByText('active again').waitFor();

  await w.page.getByRole('navigation', {name: 'Main'}).getByRole('link', {name: 'Audit'}).click();
  await w.page.getByLabel('Resource id').fill(job.connection);
  await w.page.getByRole('button', {name: 'Filter'}).click();
  await w.page.getByText('storage_connection_failed').first().waitFor();
  await w.page.getByRole('button', {name: 'Verify the trail'}).click();
  await w.page.getByText('Nothing in the trail was changed.').waitFor();
  await w.accessible('the audit trail');
  await picture(w.page, 'audit');
  await w.done();
});
