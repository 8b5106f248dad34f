// A list of ten thousand is a page like any other.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {openWindow, signIn, startWorld} from './harness.mjs';

test('10,000 connections load less than 300 KB', async () => {
  const world = await startWorld();
  await world.connections(10_000);
  const w = await openWindow();
  await signIn(w, world);
  let loaded = 0;
  const client = await w.context.newCDPSession(w.page);
  await client.send('Network.enable');
  await client.send('Network.setCacheDisabled', {cacheDisabled: true});
  client.on('Network.loadingFinished', e => { loaded += e.encodedDataLength; });
  const began = performance.now();
  await w.page.goto(world.url + '/connections', {waitUntil: 'networkidle'});
  const took = await w.page.evaluate(() => { const t = performance.getEntriesByType('navigation')[0]; return {answered: t.responseEnd - t.requestStart, ready: t.domContentLoadedEventEnd}; });
  assert.match((await w.page.textContent('#total')).replace(/\s/g, ' '), /10.000 connections/);
  assert.ok(loaded > 5_000 && loaded < 300_000, `${loaded} bytes`);
  await w.page.getByLabel('Name contains').fill('Storage 0999');
  await w.page.getByRole('button', {name: 'Filter'}).click();
  await w.page.getByText('10 connections that fit').waitFor();
  console.log(`10,000 connections: ${loaded} bytes; answered after ${took.answered.toFixed(0)} ms, ready after ${took.ready.toFixed(0)} ms (${(performance.now() - began).toFixed(0)} ms with a search)`);
  await w.accessible('a long list');
  await w.done();
});
