// First start: the one-time link, keys, and who may see what.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {openWindow, picture, signIn, startWorld} from './harness.mjs';

test('a new server is entered by its link, once', async () => {
  const world = await startWorld();
  const w = await openWindow({expect: [/status of 4\d\d/]});
  await w.page.goto(world.link);
  await w.accessible('the link');
  await w.page.getByRole('button', {name: 'Sign in'}).click();
  await w.page.getByRole('heading', {name: 'Connections'}).waitFor();
  assert.match(await w.page.textContent('main'), /Nothing is connected yet/);
  await w.accessible('an empty list');
  await picture(w.page, 'first-start');

  const again = await openWindow({expect: [/status of 4\d\d/]});
  await again.page.goto(world.link);
  assert.equal(await again.page.getByRole('navigation', {name: 'Main'}).count(), 0, 'the link works twice');
  await again.done();

  await w.page.getByRole('button', {name: 'Sign out'}).click();
  await w.page.getByText('You are signed out.').waitFor();
  await w.page.goto(world.url + '/connections');
  assert.match(w.page.url(), /\/sign-in\?next=/);
  await w.done();
});

test('a wrong key is refused and nothing of it is shown', async () => {
  const world = await startWorld();
  const w = await openWindow({expect: [/status of 4\d\d/]});
  await w.page.goto(world.url + '/connections?q=x');
  const wrong = 'moor_' + 'w'.repeat(40);
  await w.page.getByLabel('API key').fill(wrong);
  await w.page.getByRole('button', {name: 'Sign in'}).click();
  await w.page.locator('#problem .note').waitFor();
  await w.accessible('a refused key');
  assert.ok(!(await w.page.content()).includes(wrong));
  await w.page.getByLabel('API key').fill(world.key);
  await w.page.getByRole('button', {name: 'Sign in'}).click();
  await w.page.waitForURL(/\/connections\?q=x/);
  assert.ok(!(await w.page.content()).includes(world.key), 'the page holds the key');
  const stored = await w.page.evaluate(() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie]));
  assert.match(stored, /^\[\{\},\{("htmx-current-path-for-history":"[^"]*")?\},""\]$/, 'something is kept where scripts can read it');
  await w.done();
});

test('a key that may only read is offered nothing else', async () => {
  const world = await startWorld();
  const user = (await world.api('GET', '/v1/organizations/users')).results[0].email;
  const weak = (await world.api('POST', `/v1/organizations/users/${user}/api-keys`, {name: 'reader', permissions: ['read']})).key;
  const w = await openWindow({expect: [/status of 403/]});
  await signIn(w, world, weak);
  const nav = w.page.getByRole('navigation', {name: 'Main'});
  assert.equal(await nav.getByRole('link', {name: 'Buckets'}).count(), 1);
  for (const hidden of ['Audit', 'Keys', 'Webhooks', 'Settings']) assert.equal(await nav.getByRole('link', {name: hidden}).count(), 0, hidden);
  await w.page.goto(world.url + '/audit');
  await w.page.getByRole('heading', {name: 'Not allowed'}).waitFor();
  await w.page.goto(world.url + '/buckets');
  assert.equal(await w.page.getByRole('button', {name: 'Make the bucket'}).count(), 0);
  await w.done();
});
