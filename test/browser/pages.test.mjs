// Every page, narrow and wide, light and dark; and what pages must never do.
import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';
import {openWindow, picture, signIn, startJob, startWorld} from './harness.mjs';

let world, job, object, webhook;
before(async () => {
  world = await startWorld();
  await world.put('raw/report.html', '<script>document.title = "ran"; fetch("/v1/health")</script><h1>hello</h1>');
  await world.put('raw/drawing.svg', '<svg xmlns="http://www.w3.org/2000/svg" onload="document.title=\'ran\'"><script>document.title = "ran"</script></svg>');
  await world.put('raw/a very long folder name that goes on/and on/' + 'x'.repeat(120) + '.bin', 5000);
  await world.put('raw/broken.bin', 100);
  await world.fault('denied', {operation: 'GetObject', key: 'raw/broken.bin'});
  job = await startJob(world, {more: {schedule: '0 3 * * *', time_zone: 'Europe/Berlin'}});
  await job.ended(1);
  const objects = (await world.api('POST', `/v1/buckets/${job.bucket}/objects/list`, {})).results;
  object = name => objects.find(o => o.source_path.endsWith(name)).object_id;
  await world.receive(500);
  webhook = (await world.api('POST', '/v1/webhooks', {url: world.hook, description: 'a receiver'})).webhook_id;
});

const pages = () => ({
  connections: '/connections', connection: `/connections/${job.connection}`, sync: new URL(job.url).pathname, buckets: '/buckets', bucket: `/buckets/${job.bucket}`,
  object: `/buckets/${job.bucket}/objects/${object('report.html')}`, audit: '/audit', keys: '/keys', webhooks: '/webhooks', webhook: `/webhooks/${webhook}`,
  settings: '/settings', sessions: '/sessions',
});

for (const [width, height] of [[1280, 800], [360, 740]]) {
  for (const dark of [false, true]) {
    test(`every page is whole and accessible at ${width} px, ${dark ? 'dark' : 'light'}`, async () => {
      const w = await openWindow({width, height, dark});
      await signIn(w, world);
      for (const [name, path] of Object.entries(pages())) {
        const response = await w.page.goto(world.url + path);
        assert.equal(response.status(), 200, name);
        await w.accessible(name);
        await w.fits(name);
        const html = await w.page.content();
        for (const secret of [world.secret, world.key]) assert.ok(!html.includes(secret), `${name} holds a secret`);
        if (['connection', 'bucket', 'sync'].includes(name)) await picture(w.page, `${name}-${width === 360 ? 'narrow' : 'wide'}${dark ? '-dark' : ''}`);
      }
      await w.done();
    });
  }
}

test('stored HTML and SVG are downloads that do not run', async () => {
  const w = await openWindow({expect: [/Failed to load resource/]});
  await signIn(w, world);
  for (const name of ['report.html', 'drawing.svg']) {
    const at = `${world.url}/buckets/${job.bucket}/objects/${object(name)}`;
    await w.page.goto(at);
    const title = await w.page.title();
    const arriving = w.page.waitForEvent('download');
    await w.page.getByRole('link', {name: 'Download'}).click();
    assert.equal((await arriving).suggestedFilename(), name);
    const headers = await w.page.evaluate(async url => { const r = await fetch(url); return Object.fromEntries(r.headers); }, at + '/content');
    assert.match(headers['content-disposition'], /^attachment/);
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.match(headers['content-security-policy'], /sandbox/);
    const direct = w.page.waitForEvent('download');
    await w.page.goto(at + '/content').catch(() => {}); // as a download it is no page to go to
    await direct;
    assert.equal(await w.page.title(), title);
  }
  await w.done();
});

test('a key is shown once, and works until it is revoked', async () => {
  const w = await openWindow();
  await signIn(w, world);
  w.page.on('dialog', d => d.accept());
  await w.page.goto(world.url + '/keys');
  await w.page.getByLabel('Name').fill('nightly-report');
  await w.page.getByLabel('Permission').selectOption('write');
  await w.page.getByRole('button', {name: 'Make the key'}).click();
  const key = await w.page.locator('#plain').textContent();
  assert.match(key, /^moor_/);
  const asks = () => fetch(world.url + '/v1/buckets/list', {method: 'POST', headers: {Authorization: `Bearer ${key}`}}).then(r => r.status);
  assert.equal(await asks(), 200);
  await w.page.goto(world.url + '/keys');
  assert.ok(!(await w.page.content()).includes(key), 'the key is shown again');
  await w.page.getByRole('button', {name: 'Rotate nightly-report'}).click();
  const next = await w.page.locator('#plain').textContent();
  assert.notEqual(next, key);
  assert.equal(await asks(), 401);
  await w.page.getByRole('button', {name: 'Revoke nightly-report'}).click();
  await w.page.getByText('The key is revoked.').waitFor();
  await w.done();
});

test('a webhook is tested, rotated and disabled', async () => {
  const w = await openWindow();
  await signIn(w, world);
  w.page.on('dialog', d => d.accept());
  await w.page.goto(`${world.url}/webhooks/${webhook}`);
  await w.page.getByRole('button', {name: 'Send a test'}).click();
  await w.page.getByText('did not take the test (500)').waitFor();
  await world.receive(200);
  await w.page.getByRole('button', {name: 'Send a test'}).click();
  await w.page.getByText('The receiver took the test (200)').waitFor();
  await w.page.getByRole('button', {name: 'Rotate the secret'}).click();
  assert.match(await w.page.locator('#plain').textContent(), /^whsec_/);
  await w.page.getByRole('button', {name: 'Disable'}).click();
  await w.page.getByText('The webhook is disabled.').waitFor();
  await w.done();
});

test('a bucket and settings are made by form, and a taken name is said where it was typed', async () => {
  const w = await openWindow({expect: [/status of 4\d\d/]});
  await signIn(w, world);
  await w.page.goto(world.url + '/buckets');
  await w.page.getByText('New bucket').click();
  await w.page.getByLabel('Name', {exact: true}).fill('media');
  await w.page.getByLabel('Description').fill('typed with care');
  await w.page.getByRole('button', {name: 'Make the bucket'}).click();
  await w.page.locator('#problem .note').waitFor();
  assert.equal(await w.page.getByLabel('Description').inputValue(), 'typed with care');
  await w.page.getByLabel('Name', {exact: true}).fill('music');
  await w.page.getByRole('button', {name: 'Make the bucket'}).click();
  await w.page.getByText('The bucket is made.').waitFor();
  await w.page.goto(world.url + '/settings');
  await w.page.getByLabel('E-mail address').fill('someone@example.com');
  await w.page.getByRole('button', {name: 'Add the user'}).click();
  await w.page.getByText('The user is added').waitFor();
  await w.done();
});

after(() => world?.clear());
